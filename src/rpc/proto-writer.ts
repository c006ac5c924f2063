/**
 * Writes protobuf messages, in bytes that grow. Empty and zero fields are left out, as in proto3.
 */
import { bytesTag, doubleTag, numberTag } from './proto-reader.js';

const VARINT_BYTES_MAX = 10;

export class ProtoWriter {
  #bytes: Buffer;
  #end = 0;

  constructor(bytesFirst = 256) {
    this.#bytes = Buffer.allocUnsafe(bytesFirst);
  }

  /** An integer from 0 to 2^53 - 1, or a bool. */
  number(field: number, value: number | boolean): void {
    const number = Number(value);
    if (number === 0) return;
    this.#reserve(2 * VARINT_BYTES_MAX);
    this.#varint(numberTag(field));
    this.#varint(number);
  }

  double(field: number, value: number): void {
    if (value === 0) return;
    this.#reserve(VARINT_BYTES_MAX + 8);
    this.#varint(doubleTag(field));
    this.#end = this.#bytes.writeDoubleLE(value, this.#end);
  }

  bytes(field: number, content: Uint8Array): void {
    if (content.length > 0) this.message(field, content);
  }

  text(field: number, content: string): void {
    if (content !== '') this.message(field, Buffer.from(content, 'utf8'));
  }

  /** A message, or an element of a repeated field: it counts even where it is empty. */
  message(field: number, content: Uint8Array): void {
    this.#reserve(2 * VARINT_BYTES_MAX + content.length);
    this.#varint(bytesTag(field));
    this.#varint(content.length);
    this.#bytes.set(content, this.#end);
    this.#end += content.length;
  }

  /** What was written; a view that `clear` gives up. */
  resultView(): Buffer {
    return this.#bytes.subarray(0, this.#end);
  }

  clear(): void {
    this.#end = 0;
  }

  #varint(value: number): void {
    let rest = value;
    for (; rest > 0x7f; rest = Math.floor(rest / 128)) {
      this.#bytes[this.#end++] = (rest % 128) | 0x80;
    }
    this.#bytes[this.#end++] = rest;
  }

  #reserve(length: number): void {
    const need = this.#end + length;
    if (need <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(need, this.#bytes.length * 2));
    larger.set(this.#bytes.subarray(0, this.#end));
    this.#bytes = larger;
  }
}
