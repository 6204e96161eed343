// @ts-check
/** What this page does with the widget: its questions are asked there. */

/** @param {string} question */
function ask(question) {
  const kefu = /** @type {any} */ (window).kefu;
  if (!kefu?.open) return;
  kefu.open();
  kefu.sendMessage(question);
}

document.addEventListener("click", (event) => {
  const pressed = /** @type {Element} */ (event.target).closest("[data-ask]");
  if (pressed) ask(pressed.getAttribute("data-ask") ?? "");
});

const form = document.querySelector("form");
form?.addEventListener("submit", (event) => {
  event.preventDefault();
  ask(String(new FormData(form).get("question")));
  form.reset();
});
