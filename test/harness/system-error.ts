/** An error as Node throws it for a failed system call. */
export function systemError(code: string, operation: string, path: string): Error {
  return Object.assign(new Error(`${code}: simulated, ${operation} '${path}'`), {
    code,
    syscall: operation,
    path,
  });
}
