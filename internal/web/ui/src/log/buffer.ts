/**
 * What of a log is at hand: one unbroken stretch of lines within a file that
 * may be far larger. Positions are bytes of the file, places are pixels of a
 * screen on which the whole log would stand. The buffer knows nothing of
 * browsers or servers.
 */

export interface Line {
  /** Where the line begins in the file, and where the next one does. */
  pos: number;
  next: number;
  /** The text as it is shown, which may have line breaks. */
  text: string;
}

export interface Chunk<L extends Line> {
  lines: L[];
  /** The stretch that the lines were read from. */
  head: number;
  tail: number;
  /** Bytes of the whole log. */
  size: number;
}

/** Lines that are kept; more would cost memory and give nothing. */
export const maxLines = 6000;

/** The height that a page may have: browsers fail beyond some 30 million pixels. */
const maxHeight = 8_000_000;

export class Buffer<L extends Line> {
  lines: L[] = [];
  head = 0;
  tail = 0;
  size = 0;
  /** Columns after which lines are wrapped; 0 wraps nothing. */
  columns = 0;
  /** Columns of the longest line at hand. */
  longest = 0;
  private sums: number[] = [0];

  constructor(readonly rowHeight: number) {}

  /** reset replaces all. */
  reset(c: Chunk<L>): void {
    this.lines = c.lines;
    this.head = c.head;
    this.tail = c.tail;
    this.size = Math.max(c.size, c.tail);
    this.measure();
  }

  /** append takes what follows the tail; what begins elsewhere is refused. */
  append(c: Chunk<L>): boolean {
    this.size = Math.max(this.size, c.size, c.tail);
    if (c.head !== this.tail) return false;
    this.lines = this.lines.concat(c.lines);
    this.tail = c.tail;
    if (this.lines.length > maxLines) {
      this.lines = this.lines.slice(this.lines.length - maxLines);
      this.head = this.lines[0]!.pos;
    }
    this.measure();
    return true;
  }

  /** prepend takes what precedes the head; what ends elsewhere is refused. */
  prepend(c: Chunk<L>): boolean {
    if (c.tail !== this.head) return false;
    this.lines = c.lines.concat(this.lines);
    this.head = c.head;
    if (this.lines.length > maxLines) {
      this.lines = this.lines.slice(0, maxLines);
      this.tail = this.lines.at(-1)!.next;
    }
    this.measure();
    return true;
  }

  wrapAt(columns: number): void {
    if (columns === this.columns) return;
    this.columns = columns;
    this.measure();
  }

  /** Pixels that stand for a byte that is not at hand. */
  get scale(): number {
    const bytes = this.tail - this.head;
    const rows = this.sums[this.lines.length]!;
    const guess = bytes > 0 && rows > 0 ? (rows * this.rowHeight) / bytes : this.rowHeight / 100;
    return Math.min(guess, maxHeight / Math.max(1, this.size));
  }

  /** Where the lines at hand begin and end, and the whole. */
  get top(): number {
    return Math.round(this.head * this.scale);
  }
  get bottom(): number {
    return this.top + this.sums[this.lines.length]! * this.rowHeight;
  }
  get height(): number {
    return this.bottom + Math.round((this.size - this.tail) * this.scale);
  }

  /** Where a line at hand stands. */
  placeOf(index: number): number {
    return this.top + this.sums[Math.min(index, this.lines.length)]! * this.rowHeight;
  }

  /** The line at hand that stands at a place, or the nearest one. */
  indexAt(place: number): number {
    const row = (place - this.top) / this.rowHeight;
    let lo = 0;
    let hi = this.lines.length - 1;
    while (lo < hi) {
      const mid = (lo + hi + 1) >> 1;
      if (this.sums[mid]! <= row) lo = mid;
      else hi = mid - 1;
    }
    return Math.max(0, lo);
  }

  /** The line at hand that begins at a position or has it within; -1 if it is not at hand. */
  indexOf(pos: number): number {
    if (pos < this.head || pos >= this.tail) return -1;
    let lo = 0;
    let hi = this.lines.length - 1;
    while (lo < hi) {
      const mid = (lo + hi + 1) >> 1;
      if (this.lines[mid]!.pos <= pos) lo = mid;
      else hi = mid - 1;
    }
    return this.lines.length === 0 ? -1 : lo;
  }

  /** The position that a place stands for where no line is at hand. */
  posAt(place: number): number {
    if (place < this.top) return Math.max(0, Math.floor(place / this.scale));
    return Math.min(this.size, this.tail + Math.floor(Math.max(0, place - this.bottom) / this.scale));
  }

  private measure(): void {
    const sums = new Array<number>(this.lines.length + 1);
    sums[0] = 0;
    let longest = 0;
    for (let i = 0; i < this.lines.length; i++) {
      const { text } = this.lines[i]!;
      sums[i + 1] = sums[i]! + rowsOf(text, this.columns);
      longest = Math.max(longest, text.length);
    }
    this.longest = longest;
    this.sums = sums;
  }
}

/** rowsOf returns how many rows a text takes. */
export function rowsOf(text: string, columns: number): number {
  if (columns === 0 && !text.includes("\n")) return 1;
  let rows = 0;
  for (const part of text.split("\n")) rows += columns > 0 ? Math.max(1, Math.ceil(widthOf(part) / columns)) : 1;
  return rows;
}

/** Columns of a text in a font of one width: ideographs and most emoji take two. */
function widthOf(s: string): number {
  // eslint-disable-next-line no-control-regex
  if (/^[\x20-\x7e]*$/.test(s)) return s.length;
  let n = 0;
  for (const ch of s) {
    const c = ch.codePointAt(0)!;
    n += c === 9 ? 8 - (n % 8) : c >= 0x1100 && (c <= 0x115f || (c >= 0x2e80 && c <= 0xa4cf) || (c >= 0xac00 && c <= 0xd7a3) || (c >= 0xf900 && c <= 0xfaff) || (c >= 0xfe30 && c <= 0xfe6f) || (c >= 0xff00 && c <= 0xff60) || c >= 0x1f300) ? 2 : 1;
  }
  return n;
}
