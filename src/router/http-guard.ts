/**
 * Keeps web pages away from a store that trusts its network. A browser sends requests to loopback
 * for any page; what gives such a page away is
 *   Host           a name that the page's owner pointed at 127.0.0.1 (DNS rebinding),
 *   Origin         the page's own origin, sent with every request that could write,
 *   Sec-Fetch-Site `cross-site`, sent even where Origin is not.
 * Programs (curl, clients, probes) send the listener's own address as Host and no Origin.
 */

export interface HostRules {
  /** `name` (any port) or `name:port`, besides the listener's own addresses. */
  hostsAllowed: readonly string[];
  /** Origins of web pages that may call, like `https://dash.example`. */
  originsAllowed: readonly string[];
}

export interface RequestOrigin {
  host: string | undefined;
  origin: string | undefined;
  fetchSite: string | undefined;
  /** The address and port of this end of the connection. */
  localAddress: string | undefined;
  localPort: number | undefined;
}

const LOOPBACK_NAMES = ['localhost', '127.0.0.1', '[::1]'];

/** Why the request is refused, or undefined when it is not. */
export function refusalOf(request: RequestOrigin, rules: HostRules): string | undefined {
  const host = request.host?.toLowerCase();
  if (host === undefined || !isOwnHost(host, request, rules)) {
    const found = JSON.stringify(request.host ?? '');
    return `Host ${found} is not this server's address (see http.hostsAllowed)`;
  }
  const origin = request.origin?.toLowerCase();
  if (origin !== undefined) {
    const isAllowed = rules.originsAllowed.some((allowed) => allowed.toLowerCase() === origin);
    if (isAllowed || origin === `http://${host}` || origin === `https://${host}`) return undefined;
    return `Origin ${JSON.stringify(request.origin)} may not call (see http.originsAllowed)`;
  }
  if (request.fetchSite?.toLowerCase() === 'cross-site') {
    return 'Requests from web pages of other sites are refused (Sec-Fetch-Site: cross-site)';
  }
  return undefined;
}

function isOwnHost(host: string, request: RequestOrigin, rules: HostRules): boolean {
  const { name, port } = splitHost(host);
  if (rules.hostsAllowed.some((allowed) => matches(allowed.toLowerCase(), host, name))) return true;
  if (port !== request.localPort) return false;
  return LOOPBACK_NAMES.includes(name) || name === addressName(request.localAddress);
}

function matches(allowed: string, host: string, name: string): boolean {
  return allowed === host || allowed === name;
}

/** Name (IPv6 in its brackets) and port of a Host header; 80 where it names none. */
function splitHost(host: string): { name: string; port: number } {
  const match = /^(\[[0-9a-f:.]+\]|[^:[\]]+)(?::(\d{1,5}))?$/.exec(host);
  if (match === null) return { name: '', port: -1 };
  return { name: match[1] ?? '', port: match[2] === undefined ? 80 : Number(match[2]) };
}

/** The local address as a Host header would name it. */
function addressName(address: string | undefined): string | undefined {
  if (address === undefined) return undefined;
  const plain = address.startsWith('::ffff:') ? address.slice('::ffff:'.length) : address;
  return plain.includes(':') ? `[${plain}]` : plain;
}
