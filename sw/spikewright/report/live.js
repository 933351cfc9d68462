"use strict";
// Draws the figures of a page with Plotly. Library and data are in the page, packed; nothing is fetched.
(async () => {
  const packed = (id) => Uint8Array.from(atob(document.getElementById(id).textContent), (c) => c.charCodeAt(0));
  const unpack = (id) =>
    new Response(new Blob([packed(id)]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
  const say = (text) => {
    const place = document.getElementById("problem");
    place.textContent = text;
    place.hidden = false;
  };
  if (typeof DecompressionStream === "undefined") {
    say("The figures need a browser of 2023 or later.");
    return;
  }
  const library = document.createElement("script");
  library.textContent = await unpack("library");
  document.head.append(library);
  const payload = JSON.parse(await unpack("payload"));

  const KINDS = { i1: Int8Array, u1: Uint8Array, i2: Int16Array, u2: Uint16Array, i4: Int32Array, f4: Float32Array };
  const decode = ({ kind, shape, bytes, scale, empty }) => {
    const raw = new KINDS[kind](Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0)).buffer);
    const flat = Array.from(raw, (value) => (value === empty ? null : value * scale));
    if (shape.length === 1) return flat;
    return Array.from({ length: shape[0] }, (_, row) => flat.slice(row * shape[1], (row + 1) * shape[1]));
  };
  // Figures name colours "@c1", as the style sheet does, and hold arrays as bytes.
  const filled = (value, style) => {
    if (typeof value === "string") return value[0] === "@" ? style.getPropertyValue("--" + value.slice(1)) || value : value;
    if (Array.isArray(value)) return value.map((item) => filled(item, style));
    if (value === null || typeof value !== "object") return value;
    if ("kind" in value && "bytes" in value) return decode(value);
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, filled(item, style)]));
  };
  const layout = (given, style) => {
    const color = (name) => style.getPropertyValue("--" + name);
    const axis = { gridcolor: color("line"), linecolor: color("muted"), zerolinecolor: color("line"), automargin: true };
    const all = {
      font: { family: style.fontFamily, size: 12, color: color("ink") },
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      margin: { l: 56, r: 12, t: 8, b: 44 },
      // A finger scrolls the page; a mouse zooms.
      dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom",
      hoverlabel: { bgcolor: color("paper"), bordercolor: color("muted"), font: { color: color("ink") } },
      ...given,
    };
    const axes = Object.keys(all).filter((key) => /^[xy]axis\d*$/.test(key));
    for (const key of new Set([...axes, "xaxis", "yaxis"])) all[key] = { ...axis, ...all[key] };
    return all;
  };

  let chosen = 0;
  const drawn = new Set();
  const places = [...document.querySelectorAll(".plot")];
  const figure = (place) => {
    const name = place.dataset.figure;
    return "chosen" in place.dataset ? payload.choices[chosen].figures[name] : payload.figures[name];
  };
  const draw = (place) => {
    const style = getComputedStyle(document.documentElement);
    const { data, layout: given } = filled(figure(place), style);
    const first = !drawn.has(place);
    drawn.add(place);
    const done = Plotly.react(place, data, layout(given, style), { displayModeBar: false, responsive: true });
    if (first && payload.neurons)
      place.on("plotly_hover", ({ points: [point] }) => {
        const { layer } = point.data.meta ?? {};
        if (layer !== undefined && Number.isInteger(point.y)) inspect(layer, point.y);
      });
    return done;
  };
  const seen = new IntersectionObserver(
    (entries) => entries.forEach(({ isIntersecting, target }) => isIntersecting && !drawn.has(target) && draw(target)),
    { rootMargin: "400px" },
  );
  places.forEach((place) => seen.observe(place));
  document.addEventListener("themechange", ({ detail }) => (detail === "print" ? places : [...drawn]).forEach(draw));

  const choice = document.getElementById("choice");
  if (choice) {
    const choose = (index) => {
      chosen = (index + payload.choices.length) % payload.choices.length;
      choice.selectedIndex = chosen;
      const text = document.getElementById("choice-text");
      if (text) text.textContent = payload.choices[chosen].text;
      [...drawn].filter((place) => "chosen" in place.dataset).forEach(draw);
    };
    choice.addEventListener("change", () => choose(choice.selectedIndex));
    for (const [id, step] of [["previous", -1], ["next", 1]])
      document.getElementById(id)?.addEventListener("click", () => choose(chosen + step));
    choose(choice.selectedIndex);
  }

  function inspect(layer, neuron) {
    document.getElementById("neuron-layer").value = layer;
    document.getElementById("neuron").value = neuron;
    document.getElementById("neuron").max = payload.neurons[layer].length - 1;
    document.getElementById("neuron-text").textContent = payload.neurons[layer][neuron];
  }
  if (payload.neurons) {
    const [layer, neuron] = ["neuron-layer", "neuron"].map((id) => document.getElementById(id));
    const changed = () => {
      const most = payload.neurons[layer.value].length - 1;
      inspect(Number(layer.value), Math.min(most, Math.max(0, Math.trunc(Number(neuron.value)) || 0)));
    };
    layer.addEventListener("change", changed);
    neuron.addEventListener("change", changed);
    changed();
  }
  document.documentElement.dataset.ready = "";
})().catch((error) => {
  const place = document.getElementById("problem");
  place.textContent = `The figures cannot be drawn: ${error.message}`;
  place.hidden = false;
  throw error;
});
