// Numbers as people read them. Pure.

const BYTE_UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < BYTE_UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 || value >= 100 ? value.toFixed(0) : value.toFixed(1)} ${BYTE_UNITS[unit]}`;
}

export function formatCount(count: number): string {
  if (count < 1e4) return String(count);
  for (const [limit, suffix] of [
    [1e6, "K"],
    [1e9, "M"],
    [1e12, "B"],
    [1e15, "T"],
  ] as const) {
    if (count < limit) return `${(count / (limit / 1e3)).toPrecision(3)}${suffix}`;
  }
  return count.toExponential(2);
}

/** Accuracy in percent with its standard error: `71.2 ±0.9`. */
export function formatAccuracy(accuracy: number, standardError: number): string {
  return `${(100 * accuracy).toFixed(1)} ±${(100 * standardError).toFixed(1)}`;
}

export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  const minutes = Math.floor(ms / 60_000);
  return `${minutes} min ${Math.round((ms - 60_000 * minutes) / 1000)} s`;
}
