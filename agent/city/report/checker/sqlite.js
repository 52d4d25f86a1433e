// Reads the two tables of a log out of an SQLite file (https://www.sqlite.org/fileformat2.html), and
// nothing else. Every byte is somebody's: whatever does not fit ends the reading.

const MAGIC = "SQLite format 3\0",
  APPLICATION = 0x504c574c,
  SCHEMA = 1;
const MOST_DEPTH = 20,
  MOST_CELL = 1 << 20;

class Database {
  constructor(bytes) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (!Database.is(bytes)) throw new Error("is no SQLite file");
    const stated = this.view.getUint16(16);
    this.page = stated === 1 ? 65536 : stated;
    this.usable = this.page - bytes[20];
    if (this.page < 512 || this.usable < 480) throw new Error("is a damaged SQLite file");
    if (!Database.isLog(bytes)) throw new Error("is no Platewarden audit log");
    if (this.view.getUint32(60) !== SCHEMA) throw new Error("is a log of another version");
    this.pages = Math.floor(bytes.length / this.page);
  }

  static is(bytes) {
    return bytes.length >= 512 && new TextDecoder("latin1").decode(bytes.subarray(0, 16)) === MAGIC;
  }

  static isLog(bytes) {
    return new DataView(bytes.buffer, bytes.byteOffset, 512).getUint32(68) === APPLICATION;
  }

  // The rows of a table, [rowid, values], in the order of its tree.
  *rows(name) {
    for (const [, [kind, , table, root]] of this.walk(1)) {
      if (kind === "table" && table === name) {
        yield* this.walk(root);
        return;
      }
    }
    throw new Error(`lacks the table ${name}`);
  }

  // `seen`: no page twice, or a damaged file would never end.
  *walk(number, depth = 0, seen = new Set()) {
    const start = this.at(number, seen),
      head = start + (number === 1 ? 100 : 0);
    if (depth > MOST_DEPTH) throw new Error("is a damaged SQLite file: too deep");
    const kind = this.bytes[head],
      cells = this.view.getUint16(head + 3);
    const inner = kind === 5;
    if (!inner && kind !== 13) throw new Error("is a damaged SQLite file: no table's page");
    const pointers = head + (inner ? 12 : 8);
    for (let i = 0; i < cells; i++) {
      const offset = this.view.getUint16(pointers + 2 * i);
      if (offset >= this.page || pointers + 2 * i + 2 > start + this.page)
        throw new Error("is a damaged SQLite file");
      if (inner) yield* this.walk(this.view.getUint32(start + offset), depth + 1, seen);
      else yield this.cell(start + offset, seen);
    }
    if (inner) yield* this.walk(this.view.getUint32(head + 8), depth + 1, seen);
  }

  at(number, seen) {
    if (number < 1 || number > this.pages || seen.has(number))
      throw new Error("is a damaged SQLite file: a page is missing or used twice");
    seen.add(number);
    return (number - 1) * this.page;
  }

  cell(at, seen) {
    const [size, after] = this.varint(at),
      [row, begins] = this.varint(after);
    if (size > MOST_CELL) throw new Error("holds a cell that is too long");
    const most = this.usable - 35;
    const least = Math.floor(((this.usable - 12) * 32) / 255) - 23;
    const fits = least + ((size - least) % (this.usable - 4));
    const here = size <= most ? size : fits <= most ? fits : least;
    const payload = new Uint8Array(size);
    payload.set(this.slice(begins, here));
    let next = here < size ? this.view.getUint32(begins + here) : 0;
    for (let done = here; done < size;) {
      const page = this.at(next, seen),
        part = Math.min(size - done, this.usable - 4);
      payload.set(this.slice(page + 4, part), done);
      next = this.view.getUint32(page);
      done += part;
    }
    return [row, record(payload, row)];
  }

  slice(at, length) {
    if (at + length > this.bytes.length) throw new Error("is a damaged SQLite file: cut off");
    return this.bytes.subarray(at, at + length);
  }

  varint(at) {
    return varint(this.bytes, at);
  }
}

// A number and where the next byte stands. What a double does not hold exactly is no number of ours.
function varint(bytes, at) {
  let value = 0;
  for (let i = 0; i < 9; i++) {
    const byte = bytes[at + i];
    if (byte === undefined) throw new Error("is a damaged SQLite file: cut off");
    if (i === 8) return [value * 256 + byte, at + 9];
    value = value * 128 + (byte & 127);
    if (byte < 128) return [value, at + i + 1];
  }
  throw new Error("unreachable");
}

const WIDTHS = [0, 1, 2, 3, 4, 6, 8];

// A row's values: null, numbers, texts, bytes. The first column of our tables is the rowid itself.
function record(payload, row) {
  const [headEnds, first] = varint(payload, 0),
    values = [];
  for (let at = first, body = headEnds; at < headEnds;) {
    const [type, next] = varint(payload, at);
    const size = type >= 12 ? Math.floor((type - 12) / 2) : type === 7 ? 8 : (WIDTHS[type] ?? 0);
    if (body + size > payload.length) throw new Error("is a damaged SQLite file: cut off");
    const part = payload.slice(body, body + size);
    values.push(
      type >= 12 ? (type % 2 ? new TextDecoder().decode(part) : part) : number(type, part),
    );
    at = next;
    body += size;
  }
  if (values[0] === null) values[0] = row;
  return values;
}

function number(type, part) {
  if (type === 0) return null;
  if (type === 8 || type === 9) return type - 8;
  if (type === 7 || type > 9) return Number.NaN;
  return part.reduce((sum, byte) => sum * 256 + byte, part[0] > 127 ? -1 : 0);
}
