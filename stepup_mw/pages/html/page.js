"use strict";
(() => {
  const all = (selector) => document.querySelectorAll(selector);
  for (const form of all("form")) {
    form.addEventListener("submit", (event) => {
      if (form.dataset.sent) event.preventDefault();
      form.dataset.sent = "1";
    });
  }
  addEventListener("pageshow", () => all("form").forEach((form) => delete form.dataset.sent));
  for (const field of all("input.code")) {
    field.addEventListener("paste", (event) => {
      const digits = (event.clipboardData.getData("text").normalize("NFKC").match(/\d/g) || []).join("");
      if (digits.length !== 6) return;
      event.preventDefault();
      field.value = digits;
      field.dispatchEvent(new Event("input", { bubbles: true }));
    });
    field.addEventListener("input", () => {
      if (field.form.hasAttribute("data-auto") && /^\d{3} ?\d{3}$/.test(field.value)) field.form.requestSubmit();
    });
  }
  const publicKeys = {
    passkey: (json) => navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(json) }),
    current: (json) => navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(json) }),
    creation: (json) => navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(json) }),
  };
  const fields = { passkey: "passkey", current: "current_passkey", creation: "credential" };
  for (const form of self.PublicKeyCredential?.parseRequestOptionsFromJSON ? all("[data-passkey],[data-current]") : []) {
    const failed = form.querySelector("[data-failed]");
    form.querySelector("button[hidden]").hidden = false;
    form.addEventListener("submit", async (event) => {
      const step = Object.keys(publicKeys).find((name) => form.dataset[name] && !form.elements[fields[name]].value);
      if (!step) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      failed.hidden = true;
      try {
        const answer = await publicKeys[step](JSON.parse(form.dataset[step]));
        form.elements[fields[step]].value = JSON.stringify(answer.toJSON());
        form.requestSubmit();
      } catch {
        failed.textContent = failed.dataset.failed;
        failed.hidden = false;
      }
    }, { capture: true });
  }
  for (const time of all("time[datetime]")) {
    const at = new Date(time.dateTime);
    if (isNaN(at)) continue;
    const { lang } = document.documentElement;
    const locale = navigator.languages.find((spoken) => spoken.startsWith(lang)) || lang;
    time.textContent = at.toLocaleTimeString(locale, { timeStyle: "medium" });
  }
  const before = (id) => Number(sessionStorage.getItem(`stepup:${id}`));
  for (const form of all("[data-challenge]")) {
    const id = form.dataset.challenge;
    if (!before(id)) sessionStorage.setItem(`stepup:${id}`, history.length);
  }
  for (const button of all("[data-form]")) {
    button.addEventListener("click", () => history.go((before(button.dataset.form) || history.length) - history.length - 1));
  }
  all(".pair[hidden]").forEach((pair) => { pair.hidden = false; });
  all("[data-print]").forEach((button) => button.addEventListener("click", () => print()));
  all("[data-copy]").forEach((button) => button.addEventListener("click", () => {
    navigator.clipboard.writeText(document.querySelector(button.dataset.copy).textContent).then(() => { button.textContent = button.dataset.done; });
  }));
})();
