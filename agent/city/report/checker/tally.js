// Counts what the logs say within a period, and makes the report's tables of it. As
// agent/city/report/log_tally.py, figures.py and bands.py do it. `FACTS` comes from that code.

const ENDS = new Set(["receipt", "expired", "withdrawal", "lost"]);
const HOLD_ACTS = new Set(["begin", "keep", "unkept", "open", "end"]);
const MOST = 1e12,
  MINUTES = 60,
  FIVE = 5,
  NOBODY = "none";

// A cell that tells of a number only that it lies between two others.
const isBand = (cell) => Array.isArray(cell);
const grouped = (number) => String(number).replace(/\B(?=(\d{3})+$)/g, ",");
const bandText = ([low, high]) =>
  low === high ? grouped(low) : `${grouped(low)}–${grouped(high)}`;

function band(number) {
  if (number <= 0) return [0, 0];
  const low = number - (number % FIVE);
  return [Math.max(1, low), low + FIVE - 1];
}

function total(numbers) {
  const parts = numbers.map(band),
    sum = (at) => parts.reduce((all, one) => all + one[at], 0);
  let [low, high] = band(numbers.reduce((all, one) => all + one, 0));
  const widths = parts.map(([least, most]) => most - least);
  const mostLow = widths.length ? Math.min(...widths.map((one) => sum(1) - one)) : 0;
  const leastHigh = widths.length ? Math.max(...widths.map((one) => sum(0) + one)) : 0;
  while (low > mostLow) low = Math.max(1, low - FIVE);
  while (high < leastHigh) high += FIVE;
  return [low, high];
}

// Numbers by keys of several parts.
class Counter {
  constructor() {
    this.found = new Map();
  }

  add(key, number = 1) {
    const name = JSON.stringify(key);
    this.found.set(name, (this.found.get(name) ?? 0) + number);
  }

  get(...key) {
    return this.found.get(JSON.stringify(key)) ?? 0;
  }

  *entries() {
    for (const [name, number] of this.found) yield [JSON.parse(name), number];
  }

  static sum(counters) {
    const all = new Counter();
    for (const one of counters) for (const [key, number] of one.entries()) all.add(key, number);
    return all;
  }
}

const UNPRINTABLE = /(?! )[\p{C}\p{Zl}\p{Zp}\p{Zs}]/gu;

function cleanText(text) {
  const letters = Array.from(text),
    kept = letters.slice(0, 200).join("").replace(UNPRINTABLE, "?");
  return letters.length <= 200 ? kept : `${Array.from(kept).slice(0, 199).join("")}…`;
}

const textOf = (said, name) => (typeof said[name] === "string" ? cleanText(said[name]) : "");
const numberOf = (said, name) =>
  Number.isInteger(said[name]) && said[name] >= 0 ? said[name] : null;
const tableOf = (value) =>
  value && typeof value === "object" && !Array.isArray(value) ? value : {};

class Tally {
  constructor(origin, period) {
    [this.camera, this.process] = partsOf(origin);
    this.period = period;
    this.leftOut = 0;
    for (const name of [
      "releases",
      "matches",
      "ends",
      "refusals",
      "hours",
      "stale",
      "seen",
      "dropped",
      "clock",
      "acts",
      "outcomes",
      "holds",
    ])
      this[name] = new Counter();
    this.obeyed = new Map();
    this.software = new Map();
    this.recipients = new Map();
    this.hoursSeen = new Set();
  }

  take({ at, kind, details }) {
    if (kind === "release")
      this.recipients.set(textOf(details, "read"), textOf(details, "recipient"));
    if (!at.startsWith(this.period)) return;
    if (kind === "withheld") {
      this.leftOut += 1;
      return;
    }
    const month = at.slice(0, 7);
    if (this.process === "watch") this.ofWatch(kind, details, month, at);
    if (kind === "refusal") this.refusals.add([...refusal(details)]);
    if (kind === "hotlist") this.act(details, month);
    if (kind === "hold" && HOLD_ACTS.has(textOf(details, "act")))
      this.holds.add([month, textOf(details, "act")]);
    if (kind === "start") this.started(details, at);
    if (kind === "clock") this.clock.add([month, textOf(details, "clock") || NOBODY]);
  }

  ofWatch(kind, said, month, at) {
    if (kind === "release") {
      this.releases.add([month, textOf(said, "rule"), textOf(said, "recipient")]);
      this.matches.add([textOf(said, "category"), textOf(said, "match")]);
    } else if (ENDS.has(kind)) {
      this.ended(kind, said);
    } else if (kind === "counts") {
      this.counts(said, month);
    } else if (kind === "outcome" && FACTS.dispositions.includes(textOf(said, "outcome"))) {
      this.outcomes.add([textOf(said, "category"), textOf(said, "outcome")]);
    } else if (kind === "start" || kind === "policy") {
      const digest = textOf(said, "policy_digest"),
        version = numberOf(said, "policy_version"),
        key = JSON.stringify([version, digest]);
      if (version !== null && version <= MOST && digest)
        this.obeyed.set(key, [this.obeyed.get(key)?.[0] ?? at, at]);
    }
  }

  started(said, at) {
    const version = textOf(said, "software"),
      key = JSON.stringify([version, textOf(said, "software_sha256")]);
    if (version) this.software.set(key, [this.software.get(key)?.[0] ?? at, at]);
  }

  ended(kind, said) {
    let what = kind,
      why = NOBODY;
    if (kind === "receipt") {
      const outcome = textOf(said, "outcome"),
        cut = outcome.indexOf(":");
      [what, why] = cut < 0 ? [outcome, ""] : [outcome.slice(0, cut), outcome.slice(cut + 1)];
    } else if (kind === "withdrawal") {
      why = textOf(said, "reason");
    }
    const known = this.recipients.get(textOf(said, "read"));
    this.ends.add([textOf(said, "recipient") || (known ?? NOBODY), what, why || NOBODY]);
  }

  counts(said, month) {
    const drops = tableOf(said.reasons),
      hour = textOf(said, "hour");
    for (const what of ["sightings", "unreadable"])
      this.seen.add([month, what], Math.min(numberOf(said, what) ?? 0, MOST));
    for (const reason of Object.keys(drops)) {
      if (FACTS.reasons.includes(reason))
        this.dropped.add([month, reason], Math.min(numberOf(drops, reason) ?? 0, MOST));
    }
    if (this.hoursSeen.has(hour)) return;
    this.hoursSeen.add(hour);
    this.hours.add([month]);
    this.stale.add([month], numberOf(drops, "hotlist-stale") ? 1 : 0);
  }

  act(said, month) {
    const act = textOf(said, "act");
    if (["import", "publish", ""].includes(act)) return;
    for (const one of Array.isArray(said.entries) ? said.entries : [said]) {
      if (!one || typeof one !== "object" || Array.isArray(one)) continue;
      this.acts.add([
        month,
        act,
        textOf(one, "category") || NOBODY,
        textOf(one, "agency") || NOBODY,
      ]);
    }
  }
}

function refusal(said) {
  const reason = textOf(said, "reason");
  const words = FACTS.refusesDestination.includes(reason) ? textOf(said, "what") : "";
  return [reason, textOf(said, "recipient") || words || NOBODY];
}

// Tables by their codes, as rows. `logs`: what verification found, by origin; `facts`: of the archive.
function tables(logs, facts) {
  const all = [...logs.values()].sort((one, other) => byCode(one.origin, other.origin));
  const tallies = all.map((one) => one.tally);
  return {
    logs: logRows(all, facts.enrolled),
    cameras: sorted(tallies.flatMap(cameraRows)),
    ...releaseRows(tallies),
    matches: banded(tallies.map((one) => one.matches)),
    ends: banded(tallies.map((one) => one.ends)),
    ...outcomeRows(tallies),
    dropped: banded(tallies.map((one) => one.dropped)),
    refusals: banded(tallies.map(withProcess)),
    "by-hand": banded(tallies.map((one) => one.acts)),
    holds: banded([byCamera(tallies, "holds")]),
    clocks: sorted(
      tallies.flatMap((one) =>
        [...one.clock.entries()].map(([key, number]) => [one.camera, one.process, ...key, number]),
      ),
    ),
    software: sorted(
      tallies.flatMap((one) =>
        [...one.software].map(([key, times]) => [one.camera, one.process, ...JSON.parse(key), ...times]),
      ),
    ),
    obeyed: obeyedRows(tallies, facts.digests),
  };
}

function logRows(logs, enrolled) {
  const here = new Set(logs.map((one) => withoutDomain(one.origin)));
  const rows = logs.map((one) => [
    one.origin,
    one.withheld.length ? "withheld" : "whole",
    one.leaves,
    one.tally.leftOut,
    one.root,
  ]);
  for (const camera of enrolled) {
    for (const process of ["watch", "deliver"]) {
      const origin = `platewarden/${camera}/${process}`;
      if (!here.has(origin)) rows.push([origin, "not here", 0, 0, ""]);
    }
  }
  return rows.sort((one, other) => byCode(`${one[0]}'`, `${other[0]}'`));
}

function cameraRows(one) {
  const months = new Set([...one.seen.entries(), ...one.hours.entries()].map(([[month]]) => month));
  return [...months].map((month) => [
    one.camera,
    month,
    one.hours.get(month),
    band(one.seen.get(month, "sightings")),
    band(one.seen.get(month, "unreadable")),
    one.stale.get(month) * MINUTES,
  ]);
}

// What is counted under a name, by camera. One may have two logs: an older name, and one with a domain.
function byCamera(tallies, name) {
  const found = new Counter();
  for (const one of tallies)
    for (const [key, number] of one[name].entries()) found.add([one.camera, ...key], number);
  return found;
}

function releaseRows(tallies) {
  const cells = [...byCamera(tallies, "releases").entries()],
    by = new Map();
  for (const [[, , rule, recipient], number] of cells) {
    const key = JSON.stringify([recipient, rule]);
    by.set(key, [...(by.get(key) ?? []), number]);
  }
  return {
    releases: sorted(cells.map(([key, number]) => [...key, band(number)])),
    recipients: sorted([...by].map(([key, numbers]) => [...JSON.parse(key), total(numbers)])),
  };
}

function outcomeRows(tallies) {
  const told = byCamera(tallies, "outcomes"),
    cells = [],
    lists = new Map();
  const keys = [...told.entries()].map(([[camera, category]]) => [camera, category]);
  for (const name of new Set(keys.map((key) => JSON.stringify(key)))) {
    const [camera, category] = JSON.parse(name),
      numbers = FACTS.dispositions.map((each) => told.get(camera, category, each));
    cells.push([camera, category, ...outcomeRow(numbers.map(band))]);
    lists.set(category, [...(lists.get(category) ?? []), numbers]);
  }
  const summed = [...lists].map(([category, numbers]) => [
    category,
    ...outcomeRow(FACTS.dispositions.map((_, i) => total(numbers.map((one) => one[i])))),
  ]);
  return { outcomes: sorted(cells), "false-leads": sorted(summed) };
}

// The numbers, and the share of false leads that follows from them and from nothing else.
function outcomeRow(bands) {
  const told = (name) => bands[FACTS.dispositions.indexOf(name)],
    right = told("right-car");
  const sum = (at) => FACTS.falseDispositions.reduce((all, name) => all + told(name)[at], 0);
  const [least, most] = [sum(0) + right[1], sum(1) + right[0]];
  if (least === 0 && most === 0) return [...bands, ""];
  const low = Math.floor((100 * sum(0)) / Math.max(1, least));
  const high = Math.ceil((100 * sum(1)) / Math.max(1, most));
  return [...bands, low === high ? `${low} %` : `${low}–${high} %`];
}

function withProcess(one) {
  const found = new Counter();
  for (const [key, number] of one.refusals.entries()) found.add([one.process, ...key], number);
  return found;
}

function obeyedRows(tallies, digests) {
  const seen = new Map();
  for (const one of tallies) {
    for (const [key, [first, last]] of one.obeyed)
      seen.set(key, [...(seen.get(key) ?? []), [one.camera, first, last]]);
  }
  const rows = [...seen].map(([key, found]) => [JSON.parse(key), found]);
  // versions by their texts, as the report has them
  rows.sort(
    ([one], [other]) => byCode(String(one[0]), String(other[0])) || byCode(one[1], other[1]),
  );
  return rows.map(([[version, digest], found]) => [
    version,
    digest,
    digests.has(digest) ? "yes" : "NO",
    new Set(found.map(([camera]) => camera)).size,
    found.map((one) => one[1]).sort(byCode)[0],
    found
      .map((one) => one[2])
      .sort(byCode)
      .at(-1),
  ]);
}

function banded(counters) {
  const rows = [...Counter.sum(counters).entries()].filter(([, number]) => number);
  return sorted(rows.map(([key, number]) => [...key, band(number)]));
}

function sorted(rows) {
  return rows
    .map((row) => [row.map(cellText), row])
    .sort(([one], [other]) => {
      const at = one.findIndex((text, i) => text !== other[i]);
      return at < 0 ? 0 : byCode(one[at], other[at]);
    })
    .map(([, row]) => row);
}

function cellText(cell) {
  if (isBand(cell)) return bandText(cell);
  return typeof cell === "number" ? String(cell).padStart(12, "0") : cell;
}

// By code points, as Python sorts.
function byCode(one, other) {
  const [a, b] = [Array.from(one), Array.from(other)],
    at = a.findIndex((letter, i) => letter !== b[i]);
  if (at < 0) return a.length - b.length;
  return at >= b.length ? 1 : a[at].codePointAt(0) - b[at].codePointAt(0);
}

// How much of each recipient that was asked about went there, in fives.
function releasedTo(name, tallies) {
  return total(
    tallies.flatMap((one) =>
      [...one.releases.entries()].filter(([key]) => key[2] === name).map(([, number]) => number),
    ),
  );
}
