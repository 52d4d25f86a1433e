// Takes in the files, checks, and tells. Whatever was not checked is never told as checked.

const LARGEST = 64 << 20; // bytes of a file that is no log
const MONTHS =
  "January February March April May June July August September October November December".split(
    " ",
  );
const given = {
  report: null,
  reports: 0,
  logs: [],
  notes: [],
  unreadable: [],
  keys: new Map(),
  archive: new Archive(),
  others: 0,
};
const $ = (id) => document.getElementById(id);

async function takeFile(file) {
  const name = file.name;
  const head = new Uint8Array(await file.slice(0, 512).arrayBuffer());
  if (Database.is(head)) {
    // deliver keeps a database of its tries beside its log: that is no log, and no fault
    if (Database.isLog(head)) given.logs.push({ name: file.webkitRelativePath || name, file });
    else given.others += 1;
    return;
  }
  if (file.size === 0 || file.size > LARGEST || /-(wal|shm)$/.test(name)) {
    given.others += 1;
    return;
  }
  const bytes = new Uint8Array(await file.arrayBuffer()),
    value = asJson(bytes);
  const note = value === null ? parseNote(mended(bytes)) : null;
  if (value && Number.isInteger(value.v) && value.tables && value.logs && value.period) {
    given.report = value;
    given.reports += 1;
  } else if (note) {
    given.notes.push({ name, note });
  } else if (value === null && /^(checkpoint|cosigned)$/.test(name)) {
    given.unreadable.push(file.webkitRelativePath || name);
  } else if ((value?.city_log || value?.hold_log) && typeof value.device === "string") {
    const domain = value.domain ? `${value.domain}/` : "",
      process = value.city_log ? "city" : "hold",
      origin = `${domain}platewarden/${value.device}/${process}`;
    given.keys.set(origin, fromBase64(value[`${process}_log`].x, true));
  }
  given.archive.add(bytes);
}

// Line ends that a mail program or an editor changed are put right: what is verified then is what was
// signed, or nothing.
function mended(bytes) {
  return bytes.filter((byte, i) => byte !== 13 || bytes[i + 1] !== 10);
}

async function takeAll(files) {
  for (const file of files) {
    try {
      await takeFile(file);
    } catch (error) {
      say("taken", `${file.name} could not be read: ${error.message}`);
      return;
    }
  }
  const metadata = given.archive.roots.size + given.archive.stamps.size;
  say(
    "taken",
    `${given.reports} report, ${given.logs.length} logs, ${given.notes.length} checkpoints, ${metadata} roots and timestamps of the archive, ${given.keys.size} further keys.`,
  );
  $("check").disabled = !given.report;
}

function say(id, text) {
  $(id).textContent = text;
}

// Everything below what was dropped, a file or a folder. Chromium opens no FileSystemEntry for a page
// that lies on disk, and others know no handles.
function dropped(item) {
  if (item.getAsFileSystemHandle) return item.getAsFileSystemHandle().then(belowHandle);
  const entry = item.webkitGetAsEntry?.(),
    file = item.getAsFile();
  return entry?.isDirectory ? belowEntry(entry) : Promise.resolve([file]);
}

async function belowHandle(handle) {
  if (handle.kind === "file") return [await handle.getFile()];
  const found = [];
  for await (const one of handle.values()) found.push(...(await belowHandle(one)));
  return found;
}

async function belowEntry(entry) {
  if (entry.isFile) return [await new Promise((take, fail) => entry.file(take, fail))];
  const reader = entry.createReader(),
    found = [];
  for (
    let some;
    (some = await new Promise((take, fail) => reader.readEntries(take, fail))).length;
  ) {
    for (const one of some) found.push(...(await belowEntry(one)));
  }
  return found;
}

// What was found: `differs` and `unchecked` are sentences; `logs` by origin.
async function check() {
  const told = { differs: [], unchecked: [], logs: new Map(), good: [] },
    report = given.report;
  if (report.v !== FACTS.version) {
    told.unchecked.push(`The report is of version ${report.v}; this page knows ${FACTS.version}.`);
    return told;
  }
  if (!/^20\d\d(-\d\d(-\d\d)?)?$/.test(report.period)) {
    told.unchecked.push("The report's period is no day, month or year.");
    return told;
  }
  if (given.reports > 1) {
    told.unchecked.push("More than one report was given: load this page again, with one.");
    return told;
  }
  let facts;
  try {
    facts = await archiveFacts(given.archive, report.first_root, report.period);
  } catch (error) {
    told.unchecked.push(
      `The archive: ${error.message}. Without it nothing says which key each log must have.`,
    );
    return told;
  }
  for (const name of ["city", "name", "publish"]) {
    if (facts[name] !== report[name])
      told.differs.push(`${name}: it says ${report[name]}, and should say ${facts[name]}`);
  }
  for (const [origin, key] of given.keys) if (!facts.keys.has(origin)) facts.keys.set(origin, key);
  for (const one of given.logs) await checkLog(one, facts, told);
  for (const name of given.unreadable)
    told.unchecked.push(`The file ${name} cannot be read as a checkpoint: fetch it again.`);
  comparePins(report, told);
  if (
    told.logs.size === Object.keys(report.logs).length &&
    !told.unchecked.length &&
    ![...told.logs.values()].some((one) => one.spoilt)
  )
    compareTables(report, facts, told);
  else
    told.unchecked.push(
      "The tables were not counted again: not every log of the report is here and as it was signed.",
    );
  return told;
}

async function checkLog({ name, file }, facts, told) {
  let origin = name;
  try {
    const database = new Database(new Uint8Array(await file.arrayBuffer())),
      newest = newestNote(database);
    if (!newest) {
      told.unchecked.push(`Log ${name}: no checkpoint in it can be read.`);
      return;
    }
    origin = newest.origin;
    const raw = keyFor(facts.keys, origin),
      pin = Object.hasOwn(given.report.logs, origin) ? given.report.logs[origin] : null;
    if (!pin) return; // the report is not about it
    if (!raw || (await checkNote(newest, raw)) === "") {
      told.unchecked.push(`Log ${origin}: no key that the city's roster states signed it.`);
      return;
    }
    if (told.logs.has(origin)) {
      told.unchecked.push(`Log ${origin} was given twice.`);
      return;
    }
    const tally = new Tally(origin, given.report.period),
      kept = [];
    for (const one of given.notes) {
      if (one.note.origin !== origin) continue;
      const signed = await checkNote(one.note, raw);
      if (signed === "bad")
        throw new Fault(
          null,
          "checkpoint-invalid",
          `the file ${one.name} is not signed by the log's key`,
        );
      if (signed) kept.push(one.note);
      else told.unchecked.push(`The checkpoint ${one.name} of ${origin}: another key signed it.`);
    }
    say("progress", `Checking ${origin} …`);
    const seen = await verifyLog(
      database,
      newest,
      raw,
      pin,
      kept,
      (leaf) => tally.take(leaf),
      (done) => say("progress", `Checking ${origin}: ${done} of ${newest.size} leaves`),
    );
    told.logs.set(origin, { origin, tally, ...seen });
  } catch (error) {
    if (error instanceof Fault) {
      told.logs.set(origin, { origin, spoilt: true });
      told.differs.push(
        `log ${origin}: ${error.leaf === null ? "" : `leaf ${error.leaf}: `}[${error.reason}] ${error.message}`,
      );
    } else {
      told.unchecked.push(`Log ${origin}: ${error.message}.`);
    }
  }
}

function comparePins(report, told) {
  for (const [origin, pin] of Object.entries(report.logs)) {
    const log = told.logs.get(origin);
    if (!log) {
      told.unchecked.push(`Log ${origin} is not here.`);
      continue;
    }
    if (log.spoilt) continue;
    for (const place of log.withheld.slice(0, 20))
      told.good.push(
        `Log ${origin}: leaf ${place} is withheld. The log is as it was signed, and is not whole.`,
      );
    if (log.leaves < pin.leaves)
      told.differs.push(
        `log ${origin}: it ends at leaf ${log.leaves}, the report's at ${pin.leaves}`,
      );
    else if (log.root !== pin.root) told.differs.push(`log ${origin}: ${parted(pin, log)}`);
    else if (text(log.months) !== text(pin.months))
      told.differs.push(`log ${origin}: its months end otherwise than the report says`);
    else if (pin.verdict !== (log.withheld.length ? "withheld" : "whole"))
      told.differs.push(`log ${origin}: the report says ${pin.verdict}`);
  }
}

function parted(pin, log) {
  const ends = Object.entries(pin.months).sort(([, one], [, other]) => one[0] - other[0]);
  let from = 0;
  for (const [month, [size, root]] of ends) {
    if (text(log.months[month]) !== text([size, root]))
      return `another history, signed by the same key: it differs between leaves ${from} and ${size - 1}, in ${month}`;
    from = size;
  }
  return "another history, signed by the same key";
}

const text = (value) => canonicalJson(value ?? null);

function compareTables(report, facts, told) {
  const found = tables(told.logs, facts);
  for (const [code, rows] of Object.entries(found)) {
    const stated = report.tables[code] ?? {},
      own = FACTS.tables[code];
    const [old, now] = [(stated.rows ?? []).map(text), rows.map(text)];
    for (const row of old)
      if (!now.includes(row)) told.differs.push(`table ${code}: it says ${row}`);
    for (const row of now)
      if (!old.includes(row)) told.differs.push(`table ${code}: it should say ${row}`);
    if (text(stated.rows) !== text(rows))
      told.differs.push(`table ${code}: its rows are not these, once each, in this order`);
    for (const part of ["title", "says", "columns"]) {
      if (text(stated[part]) !== text(own[part]))
        told.differs.push(`table ${code}: other words as its ${part}`);
    }
  }
  compareSentences(report, facts, told);
  told.counted = Object.keys(found);
}

// The counted half of each sentence; whether a policy permits it is not looked at here.
function compareSentences(report, facts, told) {
  const tallies = [...told.logs.values()].map((one) => one.tally),
    watches = new Set(tallies.filter((one) => one.process === "watch").map((one) => one.camera));
  const where = `in ${plain(report.period)}, by the logs of ${watches.size} of ${facts.enrolled.length} cameras`;
  report.asked.forEach((name, i) => {
    const sent = releasedTo(name, tallies),
      begins = sent[1]
        ? `${bandText(sent)} readings went to ${name} ${where}.`
        : `Nothing went to ${name} ${where}`;
    if (!String(report.said[i]).startsWith(begins))
      told.differs.push(`said: it says “${report.said[i]}”, and should begin “${begins}”`);
  });
  if (report.said.length !== report.asked.length)
    told.differs.push("said: not one sentence for each name that was asked about");
}

function plain(period) {
  const [year, month, day] = period.split("-");
  return [day && String(Number(day)), month && MONTHS[Number(month) - 1], year]
    .filter(Boolean)
    .join(" ");
}

// Three verdicts, and no fourth: a difference, something unchecked, or the same.
function show(told) {
  const verdict = told.differs.length
    ? "differs"
    : told.unchecked.length || !told.counted
      ? "unchecked"
      : "same";
  const heads = {
    same: "Identical: every number that this page counts is what the report says.",
    differs: "It differs.",
    unchecked: "Not checked. This page vouches for nothing of the report.",
  };
  $("result").className = verdict;
  say("verdict", heads[verdict]);
  list("differences", told.differs);
  list("unchecked", told.unchecked);
  list("notes", told.good);
  list(
    "counted",
    (told.counted ?? []).map((code) => FACTS.tables[code].title),
  );
  const left = Object.entries(given.report.tables).filter(
    ([code]) => !(told.counted ?? []).includes(code),
  );
  list(
    "left",
    left.map(([code, table]) => String(table?.title ?? code)),
  );
  $("result").hidden = false;
  say("progress", "");
}

function list(id, lines) {
  $(id).replaceChildren(
    ...lines.map((line) => Object.assign(document.createElement("li"), { textContent: line })),
  );
  $(`${id}-part`).hidden = !lines.length;
}

async function run() {
  $("check").disabled = true;
  try {
    show(await check());
  } catch (error) {
    show({
      differs: [],
      unchecked: [`The files cannot be judged: ${error.message}.`],
      logs: new Map(),
      good: [],
    });
  }
  $("check").disabled = false;
}

function begin() {
  for (const id of ["files", "folder"])
    $(id).addEventListener("change", (event) => takeAll([...event.target.files]));
  $("check").addEventListener("click", run);
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", async (event) => {
    event.preventDefault();
    try {
      const files = [...event.dataTransfer.items].filter((one) => one.kind === "file").map(dropped);
      await takeAll((await Promise.all(files)).flat());
    } catch {
      say("taken", "This browser does not open what was dropped: choose it with the buttons.");
    }
  });
  say("taken", "Nothing yet.");
}

begin();
