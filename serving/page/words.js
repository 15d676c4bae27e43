// The words of a recording, each of which may be changed. `props.value.words`: text, new (what it is to become), start, end.
// `props.value.told`: the whole text as the fields have it.
const list = element.querySelector(".sx-edit");
let shown = "";

function told() {
  return [...list.querySelectorAll("input")].map((input) => input.value.trim()).filter(Boolean).join(" ");
}

function fit(input) {
  input.style.width = `${Math.max(3, input.value.length + 2)}ch`;
  input.classList.toggle("sx-changed", input.value !== input.defaultValue);
}

function show() {
  const words = (props.value && props.value.words) || [], given = JSON.stringify(words);
  if (given === shown) return;
  shown = given;
  list.replaceChildren(...words.map((word, index) => {
    const input = document.createElement("input");
    input.defaultValue = word.text;
    input.value = word.new;
    input.title = `${word.start} to ${word.end} s`;
    input.setAttribute("aria-label", `word ${index + 1}: ${word.text}`);
    input.spellcheck = false;
    input.addEventListener("input", () => {
      fit(input);
      props.value = { ...props.value, told: told() };
      trigger("edited");
    });
    fit(input);
    return input;
  }));
}

watch("value", show);
show();
