import { StepUpCancelled, status, wrap } from "/_stepup/client.js";

const fetch = wrap(window.fetch); // every call below may be asked about; none of them has to know
const said = document.querySelector("#said");

async function show() {
  const paid = await (await fetch("/payments")).json();
  document.querySelector("#paid").replaceChildren(
    ...paid.map(({ to, amount }) => Object.assign(document.createElement("li"), { textContent: `${amount} to ${to}` })),
  );
  document.querySelector("#ahead").hidden = !(await status("POST", "/payments")).proof_required; // before they fill it in
}

document.querySelector("#pay").addEventListener("submit", async (event) => {
  event.preventDefault();
  const payment = Object.fromEntries(new FormData(event.target));
  try {
    const answer = await fetch("/payments", { method: "POST", body: JSON.stringify(payment) });
    said.textContent = answer.ok ? "Paid." : `Not paid: ${(await answer.json()).title}`;
  } catch (error) {
    if (!(error instanceof StepUpCancelled)) throw error;
    said.textContent = "Not paid: you did not confirm.";
  }
  await show();
});

await show();
