// The photo before and after, on the node that has restored it. A slider goes over the two pictures, by mouse or by arrow
// keys; those of a batch or a list come one by one. They are "before" and "after" in the node's ui output.
import { api } from "../../scripts/api.js";
import { app } from "../../scripts/app.js";

const NODES = ["MAPRPS_RestorePhoto"];
const WORDS = {
  en: ["before", "after"],
  zh: ["之前", "之后"],
  ja: ["前", "後"],
  ko: ["전", "후"],
  fr: ["avant", "après"],
  de: ["vorher", "nachher"],
  es: ["antes", "después"],
};
const STYLE = `
.map-rps-compare { container-type: size; width: 100%; display: flex; align-items: center; justify-content: center }
.map-rps-compare[hidden] { display: none }
.map-rps-compare div { position: relative; width: min(100cqw, 100cqh * var(--ratio)); aspect-ratio: var(--ratio) }
.map-rps-compare :is(img, input) { position: absolute; inset: 0; width: 100%; height: 100%; margin: 0 }
.map-rps-compare img + img { clip-path: inset(0 calc(100% - var(--at)) 0 0) }
.map-rps-compare input { opacity: 0; cursor: ew-resize }
.map-rps-compare i { position: absolute; inset: 0 auto 0 var(--at); border: 1px solid #fff; margin-left: -1px;
  box-shadow: 0 0 3px #000; pointer-events: none }
.map-rps-compare input:focus-visible + i { border: 2px solid #4af; margin-left: -2px }
.map-rps-compare :is(span, button) { position: absolute; top: 5px; left: 5px; padding: 0 6px; border: 0; border-radius: 4px;
  font: 12px/18px sans-serif; color: #fff; background: #000a }
.map-rps-compare span { pointer-events: none }
.map-rps-compare span + span { left: auto; right: 5px }
.map-rps-compare button { top: auto; bottom: 5px; cursor: pointer }
[data-node-id]:has(.map-rps-compare:not([hidden]))
  :is(img[src^="blob:"], img[src^="blob:"] + div, div:has(img[src^="blob:"]):not(:has(.map-rps-compare))) { display: none }
`; // the last rule: of the live preview, which Nodes 2.0 leaves on the node
const MARGIN = 10; // in pixels, around a widget

const widgets = new WeakMap(); // of nodes

app.registerExtension({
  name: "MAP-RPS.compare",

  setup() {
    document.head.append(create("style", { textContent: STYLE }));
    api.addEventListener("executing", ({ detail }) => widgets.get(app.graph.getNodeById(detail))?.hide());
  },

  nodeCreated(node) {
    if (!NODES.includes(node.comfyClass)) return;
    const widget = compare(node);
    widgets.set(node, widget);
    const { onExecuted, onDrawBackground } = node;
    node.onExecuted = function (output) {
      onExecuted?.apply(this, arguments);
      widget.show(output);
    };
    node.onDrawBackground = function () {
      if (widget.element.hidden) onDrawBackground?.apply(this, arguments); // which shows the live preview
      else dropLivePreview(node);
    };
  },

  afterConfigureGraph() {
    // The page makes nodes anew when a tab is opened again or a step undone, and puts their outputs back after this.
    setTimeout(() => app.graph.nodes.forEach((node) => widgets.get(node)?.show(app.nodeOutputs?.[node.id])));
  },
});

function create(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

// The widget, which takes no room until there are pictures.
function compare(node) {
  const language = app.extensionManager.setting.get("Comfy.Locale")?.split("-")[0];
  const [before, after] = WORDS[language] ?? WORDS.en;
  const images = [after, before].map((alt) => create("img", { alt, draggable: false }));
  const slider = create("input", { type: "range", step: "any", ariaLabel: `${before} | ${after}` });
  const labels = [before, after].map((textContent) => create("span", { textContent }));
  const next = create("button", { type: "button" });
  const frame = create("div", {}, ...images, slider, create("i"), ...labels, next);
  const element = create("div", { className: "map-rps-compare", hidden: true }, frame);
  let pairs = [];
  let ratio = 1; // width over height

  const shape = () => Math.max(1, ratio); // of the widget: no taller than it is wide
  const divide = () => frame.style.setProperty("--at", `${slider.value}%`);
  const fit = () => {
    ratio = images[0].naturalWidth / images[0].naturalHeight;
    frame.style.setProperty("--ratio", ratio);
    element.style.aspectRatio = shape();
    node.setSize([node.size[0], Math.max(node.size[1], node.computeSize()[1])]);
    app.canvas.setDirty(true, true);
  };
  const turnTo = (index) => {
    pairs[index].forEach((url, i) => (images[i].src = url));
    next.textContent = `${index + 1} / ${pairs.length}`;
    next.hidden = pairs.length < 2;
    next.onclick = () => turnTo((index + 1) % pairs.length);
  };
  images[0].onload = fit;
  slider.oninput = divide;
  divide();
  for (const type of ["pointerdown", "pointermove", "pointerup"]) {
    element.addEventListener(type, (event) => event.stopPropagation()); // or Nodes 2.0 moves the node
  }
  element.addEventListener("wheel", (event) => {
    event.stopPropagation();
    app.canvas.processMouseWheel(event);
  });

  const widget = node.addDOMWidget("compare", "map_rps_compare", element, {
    serialize: false, // in what is sent to the server
    hideOnZoom: false,
    margin: MARGIN,
    getMinHeight: () => (element.hidden ? 0 : (node.size[0] - 2 * MARGIN) / shape() + 2 * MARGIN),
    getMaxHeight: () => (element.hidden ? 0 : undefined),
  });
  widget.serialize = false; // in saved workflows
  widget.hide = () => (element.hidden = true); // while the node runs: the live preview is in its place
  widget.show = (output) => {
    if (!output?.before?.length) return;
    pairs = output.before.map((item, i) => [urlOf(output.after[i]), urlOf(item)]);
    element.hidden = false;
    turnTo(0);
  };
  return widget;
}

function dropLivePreview(node) {
  node.imgs = undefined;
  const place = node.widgets.findIndex(({ name }) => name === "$$canvas-image-preview");
  if (place < 0) return;
  node.widgets[place].onRemove?.();
  node.widgets.splice(place, 1);
}

function urlOf({ filename, subfolder, type }) {
  return api.apiURL(`/view?${new URLSearchParams({ filename, subfolder, type })}`);
}
