/**
 * fetch, with a question in between: where a call needs a fresh proof, the person is asked in a dialog, and the call
 * is made again. No dependency; works under a strict Content Security Policy.
 *
 *   import { wrap } from "/_stepup/client.js";
 *   const fetch = wrap(window.fetch);
 *   await fetch("/payments", { method: "POST", body });   // rejects with StepUpCancelled where the person says no
 */

const REQUIRED = "urn:stepup:challenge-required";

const TEXTS = {
  en: {
    title: "Confirm it is you",
    code: "Code from your authenticator app",
    recovery: "Recovery code",
    useRecovery: "Use a recovery code",
    passkey: "Use a passkey",
    confirm: "Confirm",
    cancel: "Cancel",
    wrong: "That code is wrong or has been used before. Tries left: ",
    locked: "Too many wrong codes. Try again in seconds: ",
    ended: "This question has ended. Cancel, and do it once more.",
    failed: "No answer. Check the connection and try again.",
  },
  de: {
    title: "Bitte bestätigen",
    code: "Code aus der Authenticator-App",
    recovery: "Wiederherstellungscode",
    useRecovery: "Wiederherstellungscode verwenden",
    passkey: "Passkey verwenden",
    confirm: "Bestätigen",
    cancel: "Abbrechen",
    wrong: "Der Code ist falsch oder wurde schon verwendet. Verbleibende Versuche: ",
    locked: "Zu viele falsche Codes. Neuer Versuch in Sekunden: ",
    ended: "Diese Frage ist abgelaufen. Brechen Sie ab und beginnen Sie noch einmal.",
    failed: "Keine Antwort. Prüfen Sie die Verbindung und versuchen Sie es erneut.",
  },
};

const STYLE = `
.stepup { box-sizing: border-box; width: min(24rem, calc(100vw - 2rem)); padding: 1.5rem; border: 1px solid #8888;
  border-radius: 1rem; background: Canvas; color: CanvasText; color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }
.stepup::backdrop { background: #0009; }
.stepup h2 { margin: 0 0 .5rem; font-size: 1.25rem; line-height: 1.3; }
.stepup p { margin: 0 0 .75rem; overflow-wrap: anywhere; }
.stepup [role=alert] { font-weight: 600; color: light-dark(#b3261e, #ffb4ab); }
.stepup [role=alert]:empty { display: none; }
.stepup label { display: block; margin-bottom: .25rem; font-weight: 600; }
.stepup input { box-sizing: border-box; width: 100%; padding: .5rem .75rem; border: 1px solid #888; border-radius: .5rem;
  background: transparent; color: inherit; font: 1.5rem ui-monospace, monospace; letter-spacing: .15em; text-align: center; }
.stepup button { width: 100%; min-height: 2.75rem; margin-top: .75rem; border: 0; border-radius: .5rem; font: inherit;
  font-weight: 600; cursor: pointer; background: transparent; color: inherit; text-decoration: underline; }
.stepup form + button, .stepup button + button { margin-top: .25rem; }
.stepup button[type=submit] { background: #0b57d0; color: #fff; text-decoration: none; }
.stepup button:disabled { opacity: .6; cursor: progress; }
.stepup :focus-visible { outline: 3px solid #5b93f0; outline-offset: 2px; }`;

/** The person, or an AbortSignal, said no. Nothing was done. */
export class StepUpCancelled extends Error {
  constructor() {
    super("the person did not confirm");
    this.name = "StepUpCancelled";
  }
}

let turn = Promise.resolve(); // one dialog at a time: the end of the line
let proofs = 0; // given on this page so far
let refusals = 0;

/** A fetch that asks; `options` are in client.d.ts. */
export function wrap(fetch = globalThis.fetch, options = {}) {
  return async (input, init) => {
    const request = new Request(input, init);
    const send = () => fetch.call(globalThis, request.clone());
    const before = { proofs, refusals };
    let response = await send();
    let asked = await question(response);
    if (!asked) return response;
    // Somebody else's proof, given while this call was under way or in line, may do for it.
    if ((await inTurn(before, asked, request, options)) === "elsewhere") {
      response = await send();
      asked = await question(response);
      if (!asked) return response;
      await inTurn(null, asked, request, options);
    }
    return send();
  };
}

/** How fresh a proof the person holds for a request: the answer of `GET status`. */
export async function status(method, path) {
  const url = new URL("status", import.meta.url);
  url.search = new URLSearchParams({ method, path }).toString();
  const answer = await globalThis.fetch(url, { credentials: "same-origin", headers: { accept: "application/json" } });
  return answer.json();
}

async function question(response) {
  const type = response.headers.get("content-type") ?? "";
  if (response.status !== 401 || !type.startsWith("application/problem+json")) return null;
  const problem = await response.clone().json();
  return problem.type === REQUIRED ? { ...problem, base: response.url } : null;
}

function inTurn(before, asked, request, options) {
  const mine = turn.then(() => {
    if (before && refusals !== before.refusals) throw new StepUpCancelled();
    if (before && proofs !== before.proofs) return "elsewhere";
    return ask(asked, request, options);
  });
  turn = mine.catch(() => {});
  return mine;
}

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

let styled = false;

function style() {
  if (styled) return;
  styled = true;
  const sheet = new CSSStyleSheet(); // made by script, not markup: no style-src has to allow it
  sheet.replaceSync(STYLE);
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
}

function ask(asked, request, options) {
  style();
  const language = document.documentElement.lang.slice(0, 2);
  const words = { ...(TEXTS[language] ?? TEXTS.en), ...options.texts };
  const path = new URL(request.url).pathname;
  const alert = make("p", { role: "alert", id: "stepup-error" });
  const label = make("label", { for: "stepup-code" }, words.code);
  const input = make("input", { id: "stepup-code", required: "", autocapitalize: "characters", spellcheck: "false" });
  const confirm = make("button", { type: "submit" }, words.confirm);
  const other = make("button", { type: "button" });
  const passkey = make("button", { type: "button" }, words.passkey);
  const cancel = make("button", { type: "button" }, words.cancel);
  const form = make("form", { autocomplete: "off" }, label, input, confirm);
  const why = asked.reason ? [make("p", {}, asked.reason)] : [];
  const dialog = make(
    "dialog",
    { class: "stepup", "aria-labelledby": "stepup-title" },
    make("h2", { id: "stepup-title" }, words.title),
    make("p", {}, `${request.method} ${path}`),
    ...why,
    alert,
    form,
  );
  if (asked.factors.includes("passkey") && window.PublicKeyCredential?.parseRequestOptionsFromJSON) form.before(passkey);
  if (!asked.factors.includes("totp")) form.remove();
  if (asked.factors.includes("recovery_code")) dialog.append(other);
  dialog.append(cancel);

  let recovering = false;
  const show = () => {
    label.textContent = recovering ? words.recovery : words.code;
    other.textContent = recovering ? words.code : words.useRecovery;
    input.setAttribute("inputmode", recovering ? "text" : "numeric");
    input.setAttribute("autocomplete", recovering ? "off" : "one-time-code");
    input.setAttribute("maxlength", recovering ? "32" : "7");
    input.value = "";
  };
  const wrong = (text) => {
    alert.textContent = text;
    input.setAttribute("aria-invalid", "true");
    input.setAttribute("aria-describedby", alert.id);
    input.select();
  };
  show();
  document.body.append(dialog);
  dialog.showModal();
  input.focus();

  return new Promise((resolve, reject) => {
    const close = (settle, value) => {
      request.signal.removeEventListener("abort", aborted);
      dialog.close();
      dialog.remove();
      settle(value);
    };
    const refuse = () => {
      refusals += 1;
      post(asked, `${asked.page_url}/cancel`, {}, request, options).catch(() => {});
      close(reject, new StepUpCancelled());
    };
    const aborted = () => close(reject, request.signal.reason);
    if (request.signal.aborted) return aborted();
    request.signal.addEventListener("abort", aborted);
    dialog.addEventListener("cancel", (event) => (event.preventDefault(), refuse()));
    cancel.addEventListener("click", refuse);
    other.addEventListener("click", () => ((recovering = !recovering), show(), input.focus()));
    input.addEventListener("input", () => {
      if (!recovering && /^\d{6}$/.test(input.value) && !confirm.disabled) form.requestSubmit();
    });
    const verify = async (prove) => {
      confirm.disabled = passkey.disabled = true;
      try {
        const answer = await post(asked, asked.verify_url, await prove(), request, options);
        if (answer.ok) {
          proofs += 1;
          return close(resolve, "here");
        }
        wrong(told(words, answer, await answer.json()));
      } catch {
        wrong(words.failed);
      } finally {
        confirm.disabled = passkey.disabled = false;
      }
    };
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      verify(() => ({ code: input.value.replaceAll(" ", "") }));
    });
    passkey.addEventListener("click", () =>
      verify(async () => {
        const { publicKey } = await (await send(asked, `${asked.page_url}/passkey`, {}, request, options)).json();
        const given = PublicKeyCredential.parseRequestOptionsFromJSON(publicKey);
        return { passkey: (await navigator.credentials.get({ publicKey: given })).toJSON() };
      }),
    );
  });
}

function told(words, answer, problem) {
  if (answer.status === 429) return words.locked + answer.headers.get("retry-after");
  if (answer.status === 410 || answer.status === 404) return words.ended;
  return "attempts_left" in problem && problem.type.endsWith(":invalid-code")
    ? words.wrong + problem.attempts_left
    : problem.detail;
}

function post(asked, path, body, request, options) {
  return send(asked, path, { method: "POST", body: JSON.stringify(body) }, request, options);
}

function send(asked, path, init, request, options) {
  const headers = { "content-type": "application/json", accept: "application/json", ...options.headers };
  const who = request.headers.get("authorization");
  if (who) headers.authorization = who;
  return globalThis.fetch(new URL(path, asked.base), { credentials: "same-origin", headers, ...init });
}
