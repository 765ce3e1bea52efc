// Writes the few protobuf messages of an ONNX model. By hand, because this package has no dependencies and a graph of
// element-wise operators needs nine message types and two wire types. Field numbers: onnx.proto3.

/** A field's number and its value: an integer, a text, bytes, or a message made by `message`. */
export type Field = readonly [number: number, value: number | string | Uint8Array];

const utf8 = (text: string): number[] => [...unescape(encodeURIComponent(text))].map((c) => c.charCodeAt(0));

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  return [...bytes, rest];
}

/** The bytes of a message; integers are not negative. */
export function message(fields: readonly Field[]): Uint8Array {
  const parts = fields.map(([number, value]) => {
    if (typeof value === "number") return Uint8Array.from([...varint(number * 8), ...varint(value)]);
    const bytes = typeof value === "string" ? Uint8Array.from(utf8(value)) : value;
    const head = [...varint(number * 8 + 2), ...varint(bytes.length)];
    const whole = new Uint8Array(head.length + bytes.length);
    whole.set(head);
    whole.set(bytes, head.length);
    return whole;
  });
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
