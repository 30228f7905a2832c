import { getStderr } from "wasi:cli/stderr@0.2.6";

/** Writes a line to the host's log. QuickJS has no `console` and no `TextEncoder`. */
export function log(text: string): void {
  const utf8 = unescape(encodeURIComponent(`${text}\n`.toWellFormed()));
  const bytes = Uint8Array.from(utf8, (byte) => byte.charCodeAt(0));
  const stderr = getStderr();
  // It takes 4096 bytes at a time.
  for (let at = 0; at < bytes.length; at += 4096) stderr.blockingWriteAndFlush(bytes.slice(at, at + 4096));
}
