// Our names and tooltips in the page's language where the page loses them: that of ComfyUI 0.3.75 takes in the packs'
// words first, and then puts its own for the language in their place. Newer pages keep both, and nothing is done here.
import { api } from "../../scripts/api.js";
import { app } from "../../scripts/app.js";

let lost = {}; // node id: its entry in locales/*/nodeDefs.json
let dataTypes = {};

app.registerExtension({
  name: "MAP-RPS.translations",

  async addCustomNodeDefs(defs) {
    const locale = app.extensionManager.setting.get("Comfy.Locale");
    if (!locale || locale === "en") return;
    const words = (await (await api.fetchApi("/i18n")).json())[locale] ?? {};
    const ours = Object.entries(words.nodeDefs ?? {}).filter(([id]) => id.startsWith("MAPRPS_") && id in defs);
    if (ours.every(([id, entry]) => defs[id].display_name === entry.display_name)) return; // the page has kept them
    lost = Object.fromEntries(ours);
    dataTypes = words.dataTypes ?? {};
    for (const [id, entry] of ours) translate(defs[id], entry, words.nodeCategories ?? {});
  },

  nodeCreated(node) {
    const entry = lost[node.comfyClass];
    if (!entry) return;
    for (const input of node.inputs ?? []) input.localized_name = entry.inputs?.[input.name]?.name ?? input.localized_name;
    for (const widget of node.widgets ?? []) widget.label = entry.inputs?.[widget.name]?.name ?? widget.label;
    for (const [i, output] of (node.outputs ?? []).entries()) {
      const name = output.name === output.type ? dataTypes[output.type] : entry.outputs?.[i]?.name;
      output.localized_name = name ?? output.localized_name;
    }
  },
});

function translate(def, entry, categories) {
  def.display_name = entry.display_name;
  def.description = entry.description;
  def.category = def.category.split("/").map((part) => categories[part] ?? part).join("/");
  for (const [name, spec] of Object.entries({ ...def.input.required, ...def.input.optional })) {
    const tooltip = entry.inputs?.[name]?.tooltip;
    if (tooltip) spec[1] = { ...spec[1], tooltip };
  }
  def.output_tooltips = def.output_tooltips?.map((tooltip, i) => entry.outputs?.[i]?.tooltip ?? tooltip);
}
