// A provider of OpenID Connect for the inbox's tests: the npm package oidc-provider, as it is, by TLS on loopback.
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import { Provider } from "oidc-provider";

const { issuer, port, certificate, key, clients, people } = JSON.parse(process.argv[2]);
const provider = new Provider(issuer, {
  clients,
  pkce: { required: () => true },
  claims: { openid: ["sub"], profile: ["groups", "preferred_username"] },
  conformIdTokenClaims: false, // groups stand in the ID token
  cookies: { keys: ["only for tests"] },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, ...people[id] }) }),
});
const tls = { cert: readFileSync(certificate), key: readFileSync(key) };
createServer(tls, provider.callback()).listen(port, "127.0.0.1", () => console.log("READY"));
