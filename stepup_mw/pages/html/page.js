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
