// Who must have signed what: Ed25519 by the browser's own WebCrypto, and the archive of published
// metadata (TUF), from the city's first root to the key of each camera's log.

const NO_ED25519 = "this browser cannot check Ed25519 signatures";

class NotChecked extends Error {}

// How a log is named: `<domain>/platewarden/<camera>/<process>`, older ones without the domain. As
// agent/storage/log_key.py reads it.
const LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?",
  DOMAIN = new RegExp(`^(?:${LABEL}\\.)+${LABEL}$`),
  MOST_DOMAIN = 100;
const isDomain = (text) => text.length <= MOST_DOMAIN && DOMAIN.test(text);

// What stands before the first such letter, and what behind it.
function cutAt(text, letter) {
  const at = text.indexOf(letter);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}

function withoutDomain(origin) {
  const [domain, rest] = cutAt(origin, "/");
  return isDomain(domain) ? rest : origin;
}

// Whose log it is, a camera's or a city's, and of which process.
function partsOf(origin) {
  const [, rest] = cutAt(withoutDomain(origin), "/"),
    at = rest.lastIndexOf("/");
  return [rest.slice(0, Math.max(0, at)), rest.slice(at + 1)];
}

// The key that must have signed a log: a roster names none by its domain.
const keyFor = (keys, origin) => keys.get(origin) ?? keys.get(withoutDomain(origin));

async function signedBy(raw, signature, over) {
  if (raw.length !== 32 || signature.length !== 64) return false;
  let key;
  try {
    key = await crypto.subtle.importKey("raw", raw, "Ed25519", false, ["verify"]);
  } catch (error) {
    if (error.name === "NotSupportedError" || !globalThis.crypto?.subtle)
      throw new NotChecked(NO_ED25519);
    return false;
  }
  return crypto.subtle.verify("Ed25519", key, signature, over);
}

// As TUF signs JSON: keys sorted, no spaces, only \ and " escaped.
function canonicalJson(value) {
  if (typeof value === "string") return `"${value.replace(/[\\"]/g, "\\$&")}"`;
  if (Number.isInteger(value) || value === null || typeof value === "boolean") return String(value);
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (typeof value !== "object") throw new Error("is no canonical JSON");
  const members = Object.keys(value).sort();
  return `{${members.map((name) => `${canonicalJson(name)}:${canonicalJson(value[name])}`).join(",")}}`;
}

// Have so many of a role's different keys signed?
async function enough(metadata, role, keys) {
  const over = ascii(canonicalJson(metadata.signed)),
    good = new Set();
  for (const { keyid, sig } of metadata.signatures) {
    const key = role.keyids.includes(keyid) ? keys[keyid] : undefined;
    if (key?.keytype !== "ed25519") continue;
    if (await signedBy(fromHex(key.keyval.public), fromHex(sig), over)) good.add(key.keyval.public);
  }
  return role.threshold >= 1 && good.size >= role.threshold;
}

// The archive's files, by their SHA-256: a name is nobody's word.
class Archive {
  constructor() {
    this.files = new Map();
    this.roots = new Map();
    this.stamps = new Map();
  }

  add(bytes) {
    this.files.set(hex(sha256(bytes)), bytes);
    const metadata = asJson(bytes),
      kind = metadata?.signed?._type;
    if (kind === "root") this.roots.set(metadata.signed.version, metadata);
    if (kind === "timestamp") this.stamps.set(metadata.signed.version, metadata);
    return Boolean(kind);
  }

  file(hash, what) {
    const bytes = this.files.get(hash);
    if (!bytes) throw new Error(`the archive lacks ${what} (SHA-256 ${hash})`);
    return bytes;
  }

  // Every root, each signed by the one before it and by itself.
  async chain(firstHash) {
    const first = asJson(this.file(firstHash, "the city's first root")),
      found = [first];
    let holder = first;
    if (!first || !(await enough(first, first.signed.roles.root, first.signed.keys)))
      throw new Error("the first root is not signed by itself");
    for (let version = 2; this.roots.has(version); version++) {
      const next = this.roots.get(version);
      for (const one of [holder, next]) {
        if (!(await enough(next, one.signed.roles.root, one.signed.keys)))
          throw new Error(`root ${version} is not signed by enough of its holders`);
      }
      found.push((holder = next));
    }
    return found;
  }

  // What each publication until a period's end said: the targets by their paths, the oldest first.
  async publications(firstHash, period) {
    const roots = await this.chain(firstHash),
      found = [],
      known = new Map();
    for (const version of [...this.stamps.keys()].sort((a, b) => a - b)) {
      const stamp = this.stamps.get(version);
      if (!(String(stamp.signed.issued) < `${period}~`)) continue;
      await require(stamp, roots, "timestamp");
      const snapshot = this.below(stamp, "snapshot.json");
      await require(snapshot, roots, "snapshot");
      if (!snapshot.signed.meta["policy.json"]) continue;
      const targets = this.below(snapshot, "targets.json"),
        policy = this.below(snapshot, "policy.json");
      const name = `${targets.signed.version} ${policy.signed.version}`;
      if (!known.has(name)) {
        await require(targets, roots, "targets");
        await requireDelegated(policy, targets);
        known.set(name, { ...targets.signed.targets, ...policy.signed.targets });
      }
      found.push({ number: version, targets: known.get(name) });
    }
    if (!found.length)
      throw new Error("the archive holds nothing that was published until the period's end");
    return found;
  }

  below(metadata, name) {
    const hash = metadata.signed.meta[name]?.hashes?.sha256,
      found = asJson(this.file(hash, name));
    if (!found?.signed) throw new Error(`${name} in the archive is damaged`);
    return found;
  }
}

async function require(metadata, roots, role) {
  for (const root of [...roots].reverse()) {
    if (await enough(metadata, root.signed.roles[role], root.signed.keys)) return;
  }
  throw new Error(
    `${role} ${metadata.signed.version} of the archive is not signed by enough of its holders`,
  );
}

async function requireDelegated(policy, targets) {
  const { keys, roles } = targets.signed.delegations,
    role = roles.find((one) => one.name === "policy");
  if (!role || !(await enough(policy, role, keys)))
    throw new Error(
      `policy ${policy.signed.version} of the archive is not signed by enough of its holders`,
    );
}

// What the report needs of the archive. `keys`: raw log keys by origin, the newest of each camera;
// `enrolled`: the cameras at the period's end; `digests`: of every policy until then.
async function archiveFacts(archive, firstHash, period) {
  const publications = await archive.publications(firstHash, period);
  const keys = new Map(),
    digests = new Set(),
    last = publications.at(-1);
  let enrolled = [],
    before = null;
  for (const { targets } of publications) {
    digests.add(targets["policy/policy.toml"].hashes.sha256);
    const hash = targets["policy/roster.jws"]?.hashes.sha256;
    if (targets === before || !hash) continue;
    before = targets;
    const roster = await rosterOf(archive, hash, targets["policy/root.json"]?.hashes.sha256);
    enrolled = roster.devices.map((one) => one.device);
    for (const one of roster.devices) {
      for (const [name, process] of [
        ["watch_log", "watch"],
        ["deliver_log", "deliver"],
      ]) {
        if (one[name])
          keys.set(`platewarden/${one.device}/${process}`, fromBase64(one[name].x, true));
      }
    }
  }
  const city = asJson(archive.file(last.targets["city.json"].hashes.sha256, "city.json"));
  return { keys, digests, enrolled, publish: last.number, city: city.id, name: city.name };
}

// The roster: a JWS, compact or general, that enough of root.json's keys have signed.
async function rosterOf(archive, hash, rootHash) {
  const text = new TextDecoder().decode(archive.file(hash, "roster.jws")).trim();
  const root = asJson(archive.file(rootHash, "policy/root.json")),
    [head, body, signature] = text.split(".");
  const general = text.startsWith("{") ? JSON.parse(text) : null;
  const payload = general ? general.payload : body;
  const signed = general ? general.signatures : [{ protected: head, signature }];
  const held = new Set((root.keys ?? [root]).map((one) => one.x)),
    good = new Set();
  for (const one of signed) {
    const said = JSON.parse(new TextDecoder().decode(fromBase64(one.protected, true)));
    if (said.alg !== "Ed25519" || said.typ !== "platewarden-roster") continue;
    for (const x of held) {
      if (
        await signedBy(
          fromBase64(x, true),
          fromBase64(one.signature, true),
          ascii(`${one.protected}.${payload}`),
        )
      )
        good.add(x);
    }
  }
  if (good.size < (root.keys ? Math.max(2, root.threshold) : 1))
    throw new Error("the roster is not signed by enough of the city's root keys");
  return JSON.parse(new TextDecoder().decode(fromBase64(payload, true)));
}

function asJson(bytes) {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return null;
  }
}
