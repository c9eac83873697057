import { readFileSync } from "node:fs";
import tailwind from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

// Vite writes the licences of modules; fonts are none.
const fontLicence: Plugin = {
  name: "font-licence",
  generateBundle() {
    this.emitFile({ type: "asset", fileName: "licences-fonts.txt", source: readFileSync("node_modules/@fontsource-variable/ibm-plex-sans/LICENSE", "utf8") });
  },
};

// The bundle is committed and embedded in the binary, so a build must give
// the same bytes on every machine: versions are pinned, names come from
// contents, and nothing of the machine goes in.
export default defineConfig({
  base: "/console/",
  plugins: [react(), tailwind(), fontLicence],
  build: {
    outDir: "../dist",
    emptyOutDir: true,
    assetsDir: "assets",
    assetsInlineLimit: 0, // a data: address would need a looser policy
    modulePreload: { polyfill: false },
    target: ["chrome123", "firefox121", "safari17.5"],
    reportCompressedSize: false,
    license: { fileName: "licences.md" },
  },
  server: {
    // For `npm run dev`: pages from Vite, everything else from a server here.
    proxy: { "/console/api": "http://127.0.0.1:8400" },
  },
});
