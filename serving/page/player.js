// The player of a task. `props.value` is all that it shows: see run.py. A new value comes with each piece of sound.
const find = (name) => element.querySelector(name);
const status = find(".sx-status"), bar = find("progress"), sounds = find(".sx-sounds"), words = find(".sx-words");
const repeat = find(".sx-repeat");
let run = null, shownSounds = "", shownWords = "", played = 0, context = null, startsAt = 0, endsAt = 0;
let shownWorks = null, wasConnected = false;

function make(name, attributes, ...children) {
  const made = Object.assign(document.createElement(name), attributes);
  made.append(...children);
  return made;
}

function stopStream() {
  if (context) context.close();
  context = null;
}

function playChunk(base64, rate) {
  const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  const pcm = new Int16Array(bytes.buffer);
  if (!pcm.length) return;
  if (!context) {
    context = new AudioContext();
    startsAt = endsAt = context.currentTime + 0.15;
  }
  const buffer = context.createBuffer(1, pcm.length, rate);
  buffer.getChannelData(0).set(Float32Array.from(pcm, (v) => v / 32768));
  const source = context.createBufferSource();
  source.buffer = buffer;
  source.connect(context.destination);
  if (context.currentTime > endsAt) { // it was not made in time: what follows is later by as much
    startsAt += context.currentTime + 0.05 - endsAt;
    endsAt = context.currentTime + 0.05;
  }
  source.start(endsAt);
  endsAt += buffer.duration;
}

function moveTo(figure, seconds) {
  const svg = figure && figure.querySelector("svg.sound");
  if (!svg) return;
  const { seconds: all, left, right } = svg.dataset, line = svg.querySelector(".playhead");
  const x = Number(left) + (right - left) * Math.min(1, seconds / all);
  line.setAttribute("x1", x);
  line.setAttribute("x2", x);
  line.setAttribute("visibility", "visible");
}

function light(seconds) {
  for (const word of words.children) {
    word.classList.toggle("sx-lit", seconds >= word.dataset.start && seconds < word.dataset.end);
  }
}

function tick() {
  if (!element.isConnected && wasConnected) { stopStream(); return; }
  wasConnected = element.isConnected;
  setButtons();
  const figures = [...sounds.children];
  for (const figure of figures) {
    const audio = figure.querySelector("audio");
    if (audio && !audio.paused) {
      moveTo(figure, audio.currentTime);
      if (figure.dataset.result) light(audio.currentTime);
    }
  }
  if (context) {
    const at = context.currentTime - startsAt;
    if (at >= 0) {
      light(at);
      moveTo(figures.find((f) => f.dataset.result), at);
    }
    if (props.value && props.value.state === "done" && context.currentTime > endsAt) stopStream();
  }
  requestAnimationFrame(tick);
}

function showSounds(value) {
  const given = JSON.stringify((value.sounds || []).map((s) => s.url));
  if (given === shownSounds) return;
  shownSounds = given;
  const base = location.pathname.replace(/\/?$/, "/");
  sounds.replaceChildren(...(value.sounds || []).map((sound) => {
    const audio = make("audio", { controls: true, preload: "metadata", src: base + sound.url });
    audio.setAttribute("aria-label", sound.caption);
    audio.addEventListener("play", () => {
      stopStream();
      for (const other of sounds.querySelectorAll("audio")) if (other !== audio) other.pause();
    });
    const caption = make("figcaption", {}, make("b", { textContent: sound.caption }), ` ${sound.seconds.toFixed(1)} s `);
    if (sound.download) {
      caption.append(make("a", { href: base + sound.url, download: sound.download, textContent: "Download" }));
    }
    const picture = make("div");
    picture.innerHTML = sound.svg; // numbers and base64 alone
    const figure = make("figure", {}, caption, audio, picture);
    if (sound.download) figure.dataset.result = "1";
    picture.addEventListener("click", (event) => {
      const svg = picture.querySelector("svg"), box = svg.getBoundingClientRect();
      const { seconds, left, right } = svg.dataset, x = (event.clientX - box.left) / box.width * svg.viewBox.baseVal.width;
      audio.currentTime = Math.max(0, (x - left) / (right - left) * seconds);
      audio.play();
    });
    return figure;
  }));
}

function showWords(value) {
  const given = JSON.stringify(value.words || []);
  if (given === shownWords) return;
  shownWords = given;
  words.replaceChildren(...(value.words || []).map((word) => {
    const button = make("button", { type: "button", textContent: word.text, title: `${word.start} to ${word.end} s` });
    Object.assign(button.dataset, { start: word.start, end: word.end });
    button.addEventListener("click", () => {
      const audio = sounds.querySelector("figure[data-result] audio");
      if (audio) { audio.currentTime = word.start; audio.play(); }
    });
    return button;
  }));
}

function toView() { // where the form is longer than the screen, or above the result as on a phone
  const box = element.getBoundingClientRect();
  if (box.top < 0 || box.top > innerHeight * 0.6) element.scrollIntoView({ block: "start", behavior: "smooth" });
}

function setButtons() { // of the form, which may come into the page later than this element
  const works = (props.value || {}).state === "working", pane = element.closest("[role=tabpanel]");
  const start = pane && pane.querySelector(".sx-run"), stop = pane && pane.querySelector(".sx-stop");
  if (works === shownWorks || !start || !stop) return;
  start.disabled = works;
  stop.disabled = !works;
  shownWorks = works;
}

function show() {
  const value = props.value || {}, works = value.state === "working";
  if (value.run !== run) {
    stopStream();
    run = value.run;
    played = 0;
    if (works || value.state === "error") toView();
  }
  element.dataset.empty = value.state ? "" : "1";
  element.dataset.state = value.state || "";
  status.textContent = [value.message, value.warning && `Warning: ${value.warning}`].filter(Boolean).join("; ");
  status.setAttribute("role", value.state === "error" ? "alert" : "status");
  bar.hidden = !works;
  bar.value = value.progress || 0;
  showSounds(value);
  showWords(value);
  repeat.hidden = !value.repeat;
  repeat.querySelector("pre").textContent = value.repeat || "";
  if (value.state === "cancelled" || value.state === "error") stopStream();
  const chunks = value.chunks || [];
  for (; played < chunks.length; played++) playChunk(chunks[played], value.rate);
}

watch("value", show);
show();
requestAnimationFrame(tick);
