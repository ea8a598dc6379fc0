"use strict";
// Every page is whole without this script. It draws figures, follows links and filters that are
// marked `data-live` without loading the page anew, suggests names, and keeps the map's place in
// the address.

const plotlyAddress = document.currentScript.dataset.plotly;
const dark = matchMedia("(prefers-color-scheme: dark)");
const body = document.body;
let plotlyLoading = null;

function plotly() {
  plotlyLoading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = plotlyAddress;
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => reject(new Error("Plotly.js did not load"));
    document.head.append(script);
  });
  return plotlyLoading;
}

// Figures

const SETTINGS = { displaylogo: false, responsive: true, displayModeBar: false, scrollZoom: true };

async function draw(figure) {
  const address = new URL(figure.dataset.figure, location.href);
  address.searchParams.set("theme", dark.matches ? "dark" : "light");
  if (figure.dataset.drawn === address.href) return;
  figure.dataset.drawn = address.href;
  figure.dataset.state = "loading";
  try {
    const [library, answer] = await Promise.all([plotly(), fetch(address)]);
    if (!answer.ok) throw new Error(`${answer.status}`);
    const figured = await answer.json();
    if (figure.dataset.drawn !== address.href) return;
    const canvas = figure.querySelector(".canvas");
    const map = figured.layout.map;
    if (map) {
      // MapLibre fetches from a worker, which has no address to be relative to.
      const world = map.style.sources.world;
      world.data = new URL(world.data, location.href).href;
      if (figure.id === "map") Object.assign(map, placeOf(new URL(location.href)) ?? {});
    }
    if (map && figure.dataset.ground !== map.style.id) {
      // MapLibre under Plotly.js does not change its ground while it has layers.
      library.purge(canvas);
      delete canvas.dataset.followed;
      figure.dataset.ground = map.style.id;
    }
    await library.react(canvas, figured.data, figured.layout, SETTINGS);
    if (map) nameCanvas(figure, canvas);
    if (figure.id === "map") followMap(canvas);
    figure.dataset.state = "drawn";
  } catch (error) {
    figure.dataset.drawn = "";
    figure.dataset.state = "failed";
    figure.querySelector(".waiting").textContent =
      "The figure could not be drawn; the table says the same. Reload the page to try again.";
  }
}

function nameCanvas(figure, canvas) {
  const surface = canvas.querySelector("canvas.maplibregl-canvas");
  surface?.setAttribute("aria-label", figure.getAttribute("aria-label"));
}

let drawing = 0;

async function drawAll() {
  const mine = (drawing += 1);
  body.dataset.ready = "";
  await Promise.all([...document.querySelectorAll("[data-figure]")].map(draw));
  if (mine !== drawing) return;
  await markOpened();
  body.dataset.ready = dark.matches ? "dark" : "light";
}

dark.addEventListener("change", drawAll);

// The map

function placeOf(address) {
  const parts = (address.searchParams.get("at") ?? "").split(",").map(Number);
  if (parts.length !== 3 || parts.some(Number.isNaN)) return null;
  return { center: { lat: parts[0], lon: parts[1] }, zoom: parts[2] };
}

function mapCanvas() {
  return document.querySelector("#map[data-state=drawn] .canvas");
}

function followMap(canvas) {
  if (canvas.dataset.followed) return;
  canvas.dataset.followed = "yes";
  canvas.on("plotly_relayout", (changed) => {
    if (!changed["map.center"]) return;
    const { lat, lon } = changed["map.center"];
    const address = new URL(location.href);
    address.searchParams.set("at", `${lat.toFixed(3)},${lon.toFixed(3)},${changed["map.zoom"].toFixed(1)}`);
    history.replaceState(null, "", address);
  });
  canvas.on("plotly_click", async (event) => {
    const point = event.points[0];
    const query = new URLSearchParams({ near: `${point.lat.toFixed(5)},${point.lon.toFixed(5)}`, limit: "1" });
    for (const kind of point.data.meta?.kinds ?? []) query.append("kind", kind);
    const answer = await fetch(`${document.querySelector("#q").dataset.suggest}?${query}`);
    const found = answer.ok ? (await answer.json()).data : [];
    if (!found.length) return;
    const address = new URL(location.href);
    address.searchParams.set("open", found[0].record_id);
    go(address, true);
  });
  canvas.on("plotly_selected", (event) => {
    const range = event?.range?.map;
    if (!range) return;
    const [[west, north], [east, south]] = range;
    window.Plotly.relayout(canvas, { dragmode: "pan" });
    useBox([west, Math.min(south, north), east, Math.max(south, north)]);
  });
}

function useBox(edges) {
  const inside = [Math.max(edges[0], -180), Math.max(edges[1], -90), Math.min(edges[2], 180), Math.min(edges[3], 90)];
  document.querySelector("#bbox").value = inside.map((edge) => Number(edge.toFixed(3))).join(",");
  submitFilters();
}

function markOpened() {
  const canvas = mapCanvas();
  if (!canvas) return;
  const [lat, lon] = (document.querySelector("#opened")?.dataset.place ?? "").split(",").map(Number);
  const known = Number.isFinite(lat) && Number.isFinite(lon);
  const layers = known
    ? [{
        sourcetype: "geojson",
        source: { type: "Point", coordinates: [lon, lat] },
        type: "circle",
        color: dark.matches ? "#ffd166" : "#b5179e",
        opacity: 0.45,
        circle: { radius: 15 },
      }]
    : [];
  if (!known && !canvas.layout.map.layers?.length) return;
  return window.Plotly.relayout(canvas, { "map.layers": layers });
}

function flyTo(address) {
  const place = placeOf(address);
  const canvas = mapCanvas();
  if (!place || !canvas) return;
  return window.Plotly.relayout(canvas, { "map.center": place.center, "map.zoom": place.zoom });
}

function drawBox() {
  const canvas = mapCanvas();
  if (canvas) window.Plotly.relayout(canvas, { dragmode: "select" });
}

function shownBox() {
  const edges = mapCanvas()?._fullLayout.map._subplot.map.getBounds();
  if (edges) useBox([edges.getWest(), edges.getSouth(), edges.getEast(), edges.getNorth()]);
}

// Pages without loading them anew

let going = null;

async function go(address, push) {
  going?.abort();
  going = new AbortController();
  body.dataset.ready = "";
  let text;
  try {
    const answer = await fetch(address, { signal: going.signal, headers: { Accept: "text/html" } });
    text = await answer.text();
  } catch (error) {
    if (error.name !== "AbortError") location.assign(address);
    return;
  }
  const page = new DOMParser().parseFromString(text, "text/html");
  if (!page.querySelector("[data-part]")) return location.assign(address);
  if (push) history.pushState(null, "", address);
  document.title = page.title;
  const focused = document.activeElement?.id;
  for (const part of document.querySelectorAll("[data-part]")) {
    const next = page.getElementById(part.id);
    if (!next) continue;
    if (part.dataset.figure) {
      part.dataset.figure = next.dataset.figure;
      continue;
    }
    const open = [...part.querySelectorAll("details[id]")].map((one) => [one.id, one.open]);
    part.replaceChildren(...next.childNodes);
    for (const [id, was] of open) {
      const details = document.getElementById(id);
      if (details && was) details.open = true;
    }
  }
  const search = document.querySelector("#q");
  if (search && document.activeElement !== search) search.value = page.getElementById("q").value;
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  await flyTo(new URL(location.href));
  await drawAll();
}

function submitFilters() {
  const form = document.querySelector("#filters");
  const address = new URL(form.action, location.href);
  for (const [name, value] of new FormData(form)) if (value) address.searchParams.append(name, value);
  const at = new URL(location.href).searchParams.get("at");
  if (at) address.searchParams.set("at", at);
  go(address, true);
}

document.addEventListener("click", (event) => {
  if (event.target.id === "box-draw") drawBox();
  if (event.target.id === "box-shown") shownBox();
  const link = event.target.closest("a[data-live]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  const address = new URL(link.href);
  const at = new URL(location.href).searchParams.get("at");
  if (at && !address.searchParams.has("at")) address.searchParams.set("at", at);
  go(address, true);
});

document.addEventListener("submit", (event) => {
  if (!event.target.matches("form[data-live]")) return;
  event.preventDefault();
  closeSuggestions();
  submitFilters();
});

document.addEventListener("change", (event) => {
  if (event.target.closest("form[data-live]") && event.target.id !== "q") submitFilters();
});

addEventListener("popstate", () => go(new URL(location.href), false));

// Suggestions

const search = document.querySelector("#q");
const suggestions = document.querySelector("#suggestions");
let asking = 0;
let active = -1;

function closeSuggestions() {
  if (!suggestions) return;
  asking += 1;
  suggestions.hidden = true;
  search.setAttribute("aria-expanded", "false");
  search.removeAttribute("aria-activedescendant");
  active = -1;
}

async function suggest() {
  const text = search.value.trim();
  if (text.length < 2) return closeSuggestions();
  const mine = (asking += 1);
  const answer = await fetch(`${search.dataset.suggest}?${new URLSearchParams({ q: text, limit: "8" })}`);
  if (mine !== asking || !answer.ok) return;
  const found = (await answer.json()).data;
  if (mine !== asking) return;
  if (!found.length) return closeSuggestions();
  suggestions.replaceChildren(...found.map((one, number) => {
    const item = document.createElement("li");
    item.id = `suggestion-${number}`;
    item.setAttribute("role", "option");
    item.setAttribute("aria-selected", "false");
    item.textContent = one.name || one.record_id;
    const more = document.createElement("small");
    more.textContent = [one.kind.replaceAll("_", " "), one.country_code].filter(Boolean).join(", ");
    item.append(" ", more);
    item.addEventListener("mousedown", (event) => { event.preventDefault(); openSuggestion(one); });
    item.asset = one;
    return item;
  }));
  active = -1;
  suggestions.hidden = false;
  search.setAttribute("aria-expanded", "true");
}

function openSuggestion(asset) {
  closeSuggestions();
  search.value = "";
  const address = new URL(location.href);
  address.searchParams.delete("q");
  address.searchParams.set("open", asset.record_id);
  if (asset.latitude !== null && asset.longitude !== null) {
    address.searchParams.set("at", `${asset.latitude.toFixed(3)},${asset.longitude.toFixed(3)},9`);
  }
  go(address, true);
}

search?.addEventListener("input", suggest);
search?.addEventListener("blur", closeSuggestions);
search?.addEventListener("keydown", (event) => {
  const items = [...suggestions.children];
  if (event.key === "Escape") closeSuggestions();
  if (suggestions.hidden) return;
  if (event.key === "Enter" && active >= 0) {
    event.preventDefault();
    openSuggestion(items[active].asset);
  }
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    active = (active + (event.key === "ArrowDown" ? 1 : -1) + items.length) % items.length;
    items.forEach((item, number) => item.setAttribute("aria-selected", String(number === active)));
    search.setAttribute("aria-activedescendant", items[active].id);
  }
});

// What goes on by itself: parts of the page are exchanged as long as somebody looks at it

const fresh = document.querySelector("[data-refresh]");
let held = false;

async function refresh() {
  if (held || document.hidden) return;
  let page = null;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (answer.ok) page = new DOMParser().parseFromString(await answer.text(), "text/html");
  } catch (error) {
    // The server is gone: what is shown is old, and says so until it answers again.
  }
  if (held) return;
  if (!page) {
    body.dataset.stale = "yes";
    const looked = document.querySelector("#looked");
    if (looked && !looked.dataset.old) {
      looked.dataset.old = "yes";
      looked.append(" The server does not answer: these figures are old.");
    }
    return;
  }
  delete body.dataset.stale;
  for (const part of document.querySelectorAll("[data-part]")) {
    const next = page.getElementById(part.id);
    if (!next) continue;
    delete part.dataset.old;
    if (part.innerHTML !== next.innerHTML) part.replaceChildren(...next.childNodes);
  }
}

if (fresh) {
  setInterval(refresh, 1000 * Number(fresh.dataset.refresh));
  document.querySelector("#hold").addEventListener("click", (event) => {
    held = !held;
    event.target.setAttribute("aria-pressed", String(held));
    if (!held) refresh();
  });
}

body.classList.add("with-scripts");
drawAll();
