// A template of ours opens in the view that it was saved with: its note and its first column, large enough to read. The
// page of ComfyUI 0.33 shows every template as a whole instead, of which nothing can be read.
import { app } from "../../scripts/app.js";

app.registerExtension({
  name: "MAP-RPS.opening-view",

  afterConfigureGraph() {
    const { extra } = app.graph;
    if (!extra?.opens_in_saved_view) return;
    delete extra.opens_in_saved_view; // once: undoing a step or going back to this tab keeps the view of the moment
    if (!app.extensionManager.setting.get("Comfy.EnableWorkflowViewRestore")) return;
    app.canvas.ds.scale = extra.ds.scale;
    app.canvas.ds.offset = [...extra.ds.offset];
    app.canvas.setDirty(true, true);
  },
});
