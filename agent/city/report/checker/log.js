// Verifies one log: every leaf hashed anew, the tree computed anew, every stored checkpoint held
// against it, the newest one's signature checked. As agent/audit/log_pass.py does it.

const TIME = /^\d{4}-(\d\d)-(\d\d)T([01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{3}Z$/;
const PAUSE = 4000; // leaves

// `origin`, `size`, `root` and the signature lines of a checkpoint; null when it is none.
function parseNote(bytes) {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes),
      cut = text.lastIndexOf("\n\n");
    const signed = text.slice(0, cut + 1),
      [origin, size, root] = signed.split("\n");
    if (cut < 0 || !/^(0|[1-9]\d{0,14})$/.test(size) || fromBase64(root).length !== 32) return null;
    const signatures = text
      .slice(cut + 2)
      .trimEnd()
      .split("\n")
      .map((line) => {
        const [dash, name, encoded] = line.split(" "),
          data = fromBase64(encoded);
        if (dash !== "—") throw new Error("no signature line");
        return { name, id: hex(data.subarray(0, 4)), signature: data.subarray(4) };
      });
    return { origin, size: Number(size), root: hex(fromBase64(root)), signed, signatures };
  } catch {
    return null;
  }
}

const keyId = (origin, raw) =>
  hex(sha256(ascii(`${origin}\n`), new Uint8Array([1]), raw).subarray(0, 4));

// "good", "bad", or "" where this key has no line at all.
async function checkNote(note, raw) {
  const id = keyId(note.origin, raw),
    mine = note.signatures.filter((one) => one.name === note.origin && one.id === id);
  for (const one of mine)
    if (!(await signedBy(raw, one.signature, ascii(note.signed)))) return "bad";
  return mine.length ? "good" : "";
}

class Fault extends Error {
  constructor(leaf, reason, what) {
    super(what);
    Object.assign(this, { leaf, reason });
  }
}

// What a leaf says, where it says it in the form that we write.
function saidBy(details) {
  const said = asJson(details);
  return said && typeof said === "object" && !Array.isArray(said) ? said : {};
}

function saidTime(at) {
  const found = typeof at === "string" && TIME.exec(at);
  if (!found) return "";
  const day = new Date(`${at.slice(0, 10)}T00:00:00Z`);
  return !Number.isNaN(day.getTime()) &&
    day.getUTCMonth() + 1 === Number(found[1]) &&
    day.getUTCDate() === Number(found[2])
    ? at
    : "";
}

const saidKind = (kind) =>
  typeof kind === "string" && kind.length <= 32 && /^[A-Za-z-]*[A-Za-z][A-Za-z-]*$/.test(kind)
    ? kind
    : "";

// `pin`: as the report names the log, or none; `kept`: further checkpoints that must fit; `take` is
// given each leaf that the report counts. Throws Fault, NotChecked, or Error for a file that is
// damaged.
async function verifyLog(database, newest, raw, pin, kept, take, tell) {
  const tree = new Frontier(),
    stored = database.rows("checkpoint"),
    most = pin ? pin.leaves : newest.size;
  const seen = { withheld: [], months: {}, root: "", leaves: Math.min(most, newest.size) },
    wanted = (size) => kept.filter((one) => one.size === size);
  let waiting = stored.next().value,
    before = "";
  for (const [, [n, hash, salt, details]] of database.rows("leaf")) {
    const place = tree.size;
    if (n !== place)
      throw new Fault(
        place,
        n > place ? "leaf-missing" : "leaf-reordered",
        `leaf ${place} is missing`,
      );
    const said = oneLeaf(place, hash, salt, details);
    tree.append(hash);
    before = saidTime(said?.at) || before;
    if (!said) seen.withheld.push(place);
    if (place < most && place < newest.size) {
      take({
        at: before,
        kind: said ? saidKind(said.kind) || "unreadable" : "withheld",
        details: said ?? {},
      });
      seen.months[before.slice(0, 7)] = [tree.size, ""];
    }
    if (waiting && waiting[1][0] === tree.size) {
      fits(waiting[1], tree, newest.origin);
      waiting = stored.next().value;
      const end = seen.months[before.slice(0, 7)];
      if (end && end[0] === tree.size) end[1] = hex(tree.root());
      if (tree.size === seen.leaves) seen.root = hex(tree.root());
    }
    for (const one of kept.length ? wanted(tree.size) : []) {
      if (one.root !== hex(tree.root()))
        throw new Fault(
          null,
          "root-mismatch",
          `the log's key signed two histories of ${tree.size} leaves`,
        );
    }
    if (tree.size % PAUSE === 0) {
      tell(tree.size);
      await new Promise((go) => setTimeout(go));
    }
  }
  await atTheEnd(database, newest, raw, kept, tree.size, waiting);
  for (const month of Object.keys(seen.months))
    if (!seen.months[month][1]) delete seen.months[month];
  return seen;
}

// Nothing may be signed beyond the leaves, and nothing may stand beyond what is signed.
async function atTheEnd(database, newest, raw, kept, size, waiting) {
  if (waiting)
    throw new Fault(
      size,
      "log-truncated",
      `leaf ${size} and what came after it is missing: a checkpoint of ${waiting[1][0]} leaves is signed`,
    );
  if (size !== newest.size)
    throw new Fault(newest.size, "checkpoint-invalid", "nothing signs the leaves from here on");
  for (const one of kept) {
    if (one.size > size)
      throw new Fault(
        size,
        "log-truncated",
        `a checkpoint that was kept has ${one.size} leaves, the log ${size}`,
      );
  }
  if ((await checkNote(newest, raw)) !== "good")
    throw new Fault(
      await firstForged(database, newest.origin, raw),
      "checkpoint-invalid",
      "from here on the checkpoints are not signed by the log's key",
    );
}

// What the leaf says; null where its words are withheld.
function oneLeaf(place, hash, salt, details) {
  if (!(hash instanceof Uint8Array) || hash.length !== 32)
    throw new Fault(place, "leaf-changed", "its hash is damaged");
  if (salt === null && details === null) return null;
  if (
    !(salt instanceof Uint8Array) ||
    !(details instanceof Uint8Array) ||
    !same(leafHash(salt, details), hash)
  ) {
    throw new Fault(place, "leaf-changed", "its details are not those that were signed");
  }
  const said = saidBy(details);
  if (Number.isInteger(said.n) && said.n >= 0 && said.n !== place)
    throw new Fault(place, "leaf-reordered", `it says that it is leaf ${said.n}`);
  return said;
}

// A stored checkpoint must sign this very tree; whether the key signed it, the newest one tells.
function fits([size, note, peaks], tree, origin) {
  const told = note instanceof Uint8Array ? parseNote(note) : null,
    leaf = size - 1;
  if (!told || told.origin !== origin || told.size !== size)
    throw new Fault(leaf, "checkpoint-invalid", "the checkpoint stored after it is not the log's");
  if (told.root !== hex(tree.root()))
    throw new Fault(leaf, "leaf-changed", "the checkpoint signed after it has another root");
  if (!(peaks instanceof Uint8Array) || hex(peaks) !== tree.peaks.map(hex).join(""))
    throw new Fault(
      leaf,
      "checkpoint-invalid",
      "the peaks stored after it do not fit the signed root",
    );
}

// The leaf under the first stored checkpoint that the key did not sign: all before it are good.
async function firstForged(database, origin, raw) {
  const notes = [...database.rows("checkpoint")].map(([, [, note]]) => parseNote(note));
  let low = 0,
    high = notes.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((await checkNote(notes[middle], raw)) === "good") low = middle + 1;
    else high = middle;
  }
  return notes[low] ? notes[low].size - 1 : null;
}

// The last stored checkpoint, unverified.
function newestNote(database) {
  let last = null;
  for (const [, [, note]] of database.rows("checkpoint")) last = note;
  return last instanceof Uint8Array ? parseNote(last) : null;
}
