"use strict";
// The inbox's one script: hands the server's question to the passkey, and its answer back by a form.
const form = document.querySelector("form[data-passkey]");
const told = document.querySelector("#passkey-told");

const bytes = (text) =>
  Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (one) => one.charCodeAt(0));

const text = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

const named = (list) => (list ?? []).map((one) => ({ ...one, id: bytes(one.id) }));

function answerOf(credential) {
  const from = credential.response;
  const response = { clientDataJSON: text(from.clientDataJSON) };
  for (const name of ["attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (from[name]) response[name] = text(from[name]);
  }
  return JSON.stringify({ id: credential.id, rawId: credential.id, type: credential.type, response });
}

async function asked() {
  const asks = JSON.parse(form.dataset.passkey);
  const publicKey = { ...asks, challenge: bytes(asks.challenge) };
  if (asks.user) {
    publicKey.user = { ...asks.user, id: bytes(asks.user.id) };
    publicKey.excludeCredentials = named(asks.excludeCredentials);
    return navigator.credentials.create({ publicKey });
  }
  publicKey.allowCredentials = named(asks.allowCredentials);
  return navigator.credentials.get({ publicKey });
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  told.textContent = "Waiting for your passkey …";
  try {
    form.elements.answer.value = answerOf(await asked());
    form.submit();
  } catch (error) {
    told.textContent = "The passkey did not answer (" + error.name + "). Try again.";
  }
});
