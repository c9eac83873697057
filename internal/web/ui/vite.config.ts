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

// What the server tells browsers to fetch together with a page: its code by
// the name of its file in src/pages, and the font that every page is written in.
const ahead: Plugin = {
  name: "ahead",
  generateBundle(_, bundle) {
    const all = Object.values(bundle);
    const chunks = new Map(all.flatMap((c) => (c.type === "chunk" ? [[c.fileName, c]] : [])));
    const needs = (name: string, found = new Set<string>()): Set<string> => {
      if (found.has(name)) return found;
      found.add(name);
      for (const i of chunks.get(name)?.imports ?? []) needs(i, found);
      return found;
    };
    const entry = needs([...chunks.values()].find((c) => c.isEntry)!.fileName);
    const pages: Record<string, string[]> = {};
    for (const c of chunks.values()) {
      const page = /\/src\/pages\/(\w+)\.tsx$/.exec(c.facadeModuleId ?? "")?.[1];
      if (c.isDynamicEntry && page) pages[page] = [...needs(c.fileName)].filter((n) => !entry.has(n));
    }
    const fonts = all.map((c) => c.fileName).filter((n) => /ibm-plex-sans.*\.woff2$/.test(n));
    this.emitFile({ type: "asset", fileName: "ahead.json", source: `${JSON.stringify({ fonts, pages }, null, 2)}\n` });
  },
};

// Every page needs these, so they are one file: browsers hold six connections
// to a server, and each further file waits for one.
const base = /node_modules\/(react|react-dom|scheduler|react-router|cookie|set-cookie-parser|@tanstack\/(query-core|react-query))\/|src\/(api\.ts|(app\/(cache|keys|live|now|session|shell|theme|toast)|lib\/(color|format|signs|states)|ui\/(button|dialog|field|icons|menu|page|sign|strip))\.tsx?)$/;

// The bundle is committed and embedded in the binary, so a build must give
// the same bytes on every machine: versions are pinned, names come from
// contents, and nothing of the machine goes in.
export default defineConfig({
  base: "/console/",
  plugins: [react(), tailwind(), fontLicence, ahead],
  build: {
    outDir: "../dist",
    emptyOutDir: true,
    assetsDir: "assets",
    assetsInlineLimit: 0, // a data: address would need a looser policy
    modulePreload: { polyfill: false },
    target: ["chrome123", "firefox121", "safari17.5"],
    reportCompressedSize: false,
    rolldownOptions: { output: { codeSplitting: { groups: [{ name: "base", test: base }] } } },
    license: { fileName: "licences.md" },
  },
  server: {
    // For `npm run dev`: pages from Vite, everything else from a server here.
    proxy: { "/console/api": "http://127.0.0.1:8400" },
  },
});
