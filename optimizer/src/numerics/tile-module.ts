// The two inner loops of the dense algebra as a WebAssembly module with vectors of two doubles. A vector holds one
// element of two right-hand sides, so each element is summed in the order that plain code has: the bits are the same.
//
// Memory: right-hand sides lie transposed, element k of up to 128 of them in one row of 1,024 bytes. A panel of L
// lies with its rows 544 bytes apart, which is 64 columns and a tile; rows up to a multiple of four are zero and their
// reciprocals 1, so that a tile that reaches beyond the last row changes nothing there.

/** Bytes from one element of the right-hand sides to the next, and from one row of a panel of L to the next. */
export const elementStride = 1024;
export const panelStride = 544;

export interface TileModule {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
  /** x[j] -= sum over k < `length` of x[k] l[j, k]; addresses of x[k = 0], of x[j = 0] and of l; `rows` in bytes. */
  subtract(xk: number, xj: number, l: number, rows: number, groups: number, length: number): void;
  /**
   * Solves columns `first` to `first` + 4 `groups` of a panel at address `x`, whose columns before are solved; l has
   * the rows of those columns, `reciprocals` those of their diagonal.
   */
  solve(x: number, first: number, l: number, rows: number, groups: number, reciprocals: number): void;
}

// Opcodes by their names in the specification.
const op = {
  block: [0x02, 0x40],
  loop: [0x03, 0x40],
  end: [0x0b],
  branchIf: [0x0d],
  get: [0x20],
  set: [0x21],
  tee: [0x22],
  const: [0x41],
  isZero: [0x45],
  lessUnsigned: [0x49],
  add: [0x6a],
  multiply: [0x6c],
} as const;
const vector = {
  load: [0xfd, 0x00],
  loadSplat: [0xfd, 0x0a],
  store: [0xfd, 0x0b],
  zero: [0xfd, 0x0c, ...new Array<number>(16).fill(0)],
  add: [0xfd, 0xf0, 0x01],
  subtract: [0xfd, 0xf1, 0x01],
  multiply: [0xfd, 0xf2, 0x01],
} as const;
const i32 = 0x7f;
const v128 = 0x7b;

type Code = readonly number[];

/** LEB128 of a whole number, whose sign bit stays clear so that it reads the same signed and unsigned. */
function leb(value: number): Code {
  return value < 64 ? [value] : [(value & 0x7f) | 0x80, ...leb(value >>> 7)];
}
const get = (local: number): Code => [...op.get, ...leb(local)];
const set = (local: number, value: Code): Code => [...value, ...op.set, ...leb(local)];
const tee = (local: number, value: Code): Code => [...value, ...op.tee, ...leb(local)];
const whole = (value: number): Code => [...op.const, ...leb(value)];
const plus = (a: Code, b: Code): Code => [...a, ...b, ...op.add];
const times = (a: Code, b: Code): Code => [...a, ...b, ...op.multiply];
const both = (operation: Code, a: Code, b: Code): Code => [...a, ...b, ...operation];
const load = (address: Code, offset: number): Code => [...address, ...vector.load, 3, ...leb(offset)];
const loadSplat = (address: Code, offset: number): Code => [...address, ...vector.loadSplat, 3, ...leb(offset)];
const store = (address: Code, offset: number, value: Code): Code => [
  ...address,
  ...value,
  ...vector.store,
  3,
  ...leb(offset),
];

/** Runs `body` and adds `step` to `local` until it reaches `end`; at least once. */
function repeat(local: number, step: number, end: Code, body: Code): Code {
  const isLess: Code = [...tee(local, plus(get(local), whole(step))), ...end, ...op.lessUnsigned];
  return [...op.loop, ...body, ...isLess, ...op.branchIf, 0, ...op.end];
}

// Locals of both functions after their six parameters.
const [rowsAt, group, lRow, k, xAt, lAt, out] = [6, 7, 8, 9, 10, 11, 12] as const;
/** Sum (or solution) of column q of the tile for half h of its four right-hand sides. */
const sum = (q: number, h: number): number => 13 + 2 * q + h;
const [low, high, factor] = [21, 22, 23] as const;
const quad = [0, 1, 2, 3] as const;
const halves = [0, 1] as const;

/** For all groups of four columns and all right-hand sides, four at a time: sums over `length` elements, then `finish`. */
function tiles(parts: {
  xk: Code;
  xj: Code;
  l: number;
  rows: number;
  groups: number;
  length: Code;
  finish: Code;
}): Code {
  const inner: Code = [
    ...set(low, load(get(xAt), 0)),
    ...set(high, load(get(xAt), 16)),
    ...quad.flatMap((q) => [
      ...set(factor, loadSplat(get(lAt), q * panelStride)),
      ...halves.flatMap((h) =>
        set(sum(q, h), both(vector.add, get(sum(q, h)), both(vector.multiply, get(h === 0 ? low : high), get(factor)))),
      ),
    ]),
    ...set(xAt, plus(get(xAt), whole(elementStride))),
    ...set(lAt, plus(get(lAt), whole(8))),
  ];
  const oneTile: Code = [
    ...quad.flatMap((q) => halves.flatMap((h) => set(sum(q, h), vector.zero))),
    ...set(xAt, plus(parts.xk, get(rowsAt))),
    ...set(lAt, get(lRow)),
    ...set(k, whole(0)),
    // A loop runs at least once: skipped where there is nothing to sum.
    ...op.block,
    ...parts.length,
    ...op.isZero,
    ...op.branchIf,
    0,
    ...repeat(k, 1, parts.length, inner),
    ...op.end,
    ...set(out, plus(parts.xj, get(rowsAt))),
    ...parts.finish,
  ];
  const oneGroup: Code = [
    ...set(lRow, plus(get(parts.l), times(get(group), whole(4 * panelStride)))),
    ...set(rowsAt, whole(0)),
    ...repeat(rowsAt, 32, get(parts.rows), oneTile),
  ];
  return [...set(group, whole(0)), ...repeat(group, 1, get(parts.groups), oneGroup), ...op.end];
}

const groupOffset = times(get(group), whole(4 * elementStride));

function subtractCode(): Code {
  const finish = quad.flatMap((q) =>
    halves.flatMap((h) => {
      const offset = q * elementStride + 16 * h;
      return store(get(out), offset, both(vector.subtract, load(get(out), offset), get(sum(q, h))));
    }),
  );
  return tiles({ xk: get(0), xj: plus(get(1), groupOffset), l: 2, rows: 3, groups: 4, length: get(5), finish });
}

function solveCode(): Code {
  // Column of the panel that the group begins with: as many elements are summed before the tile's own triangle.
  const column = plus(get(1), times(get(group), whole(4)));
  const finish = quad.flatMap((q) =>
    halves.flatMap((h) => {
      const offset = q * elementStride + 16 * h;
      const product = (earlier: number): Code =>
        both(vector.multiply, get(sum(earlier, h)), loadSplat(get(lAt), q * panelStride + 8 * earlier));
      const sums = quad
        .slice(0, q)
        .reduce<Code>((so, earlier) => both(vector.add, so, product(earlier)), get(sum(q, h)));
      const rest = both(vector.subtract, load(get(out), offset), sums);
      const reciprocal = loadSplat(plus(get(5), times(get(group), whole(32))), 8 * q);
      return [...set(sum(q, h), both(vector.multiply, rest, reciprocal)), ...store(get(out), offset, get(sum(q, h)))];
    }),
  );
  const xj = plus(get(0), times(column, whole(elementStride)));
  return tiles({ xk: get(0), xj, l: 2, rows: 3, groups: 4, length: column, finish });
}

const sized = (code: Code): Code => [...leb(code.length), ...code];
const list = (items: readonly Code[]): Code => [...leb(items.length), ...items.flat()];
const section = (id: number, content: Code): Code => [id, ...sized(content)];
const text = (name: string): Code => sized([...name].map((letter) => letter.charCodeAt(0)));
const body = (code: Code): Code =>
  sized([
    ...list([
      [...leb(7), i32],
      [...leb(11), v128],
    ]),
    ...code,
  ]);

/** The module's bytes, from which every thread makes its own instance. */
export function tileModuleBytes(): Uint8Array {
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, list([[0x60, ...list(new Array(6).fill([i32])), ...list([])]])),
    ...section(3, list([[0], [0]])),
    ...section(5, list([[0x00, 1]])),
    ...section(
      7,
      list([
        [...text("memory"), 0x02, 0],
        [...text("subtract"), 0x00, 0],
        [...text("solve"), 0x00, 1],
      ]),
    ),
    ...section(10, list([body(subtractCode()), body(solveCode())])),
  ]);
}
