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
    time.textContent = at.toLocaleTimeString(document.documentElement.lang, { timeStyle: "medium" });
  }
  all(".pair[hidden]").forEach((pair) => { pair.hidden = false; });
  all("[data-print]").forEach((button) => button.addEventListener("click", () => print()));
  all("[data-copy]").forEach((button) => button.addEventListener("click", () => {
    navigator.clipboard.writeText(document.querySelector(button.dataset.copy).textContent).then(() => { button.textContent = button.dataset.done; });
  }));
})();
