import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { yaml } from "@codemirror/lang-yaml";
import { HighlightStyle, bracketMatching, foldGutter, foldKeymap, indentOnInput, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { lintGutter, nextDiagnostic, previousDiagnostic, setDiagnostics, type Diagnostic as Mark } from "@codemirror/lint";
import { highlightSelectionMatches, search, searchKeymap } from "@codemirror/search";
import { EditorState, type Text } from "@codemirror/state";
import {
  Decoration, EditorView, MatchDecorator, ViewPlugin, drawSelection, highlightActiveLine, highlightActiveLineGutter, highlightSpecialChars, keymap, lineNumbers, rectangularSelection,
  type DecorationSet, type ViewUpdate,
} from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { useEffect, useImperativeHandle, useRef, type Ref } from "react";
import type { Diagnostic } from "../api";

export interface CodeHandle {
  /** Puts the cursor on a line, from 1, and shows it. */
  go(line: number, column?: number): void;
  /** Replaces the whole text. */
  replace(text: string): void;
}

interface Props {
  /** The text to begin with; later changes are the reader's. */
  text: string;
  diagnostics: Diagnostic[];
  readOnly: boolean;
  onChange(text: string): void;
  /** The line that the cursor is on, from 1. */
  onLine(line: number): void;
  handle?: Ref<CodeHandle>;
}

const mono = '"Plex Mono", ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace';

const theme = EditorView.theme({
  "&": { height: "100%", backgroundColor: "var(--c-sheet)", color: "var(--c-ink)", fontSize: "13px" },
  "&.cm-focused": { outline: "2px solid var(--c-focus)", outlineOffset: "-2px" },
  ".cm-scroller": { fontFamily: mono, lineHeight: "1.55", overflow: "auto" },
  ".cm-content": { caretColor: "var(--c-ink)", padding: "8px 0" },
  ".cm-cursor": { borderLeftColor: "var(--c-ink)", borderLeftWidth: "2px" },
  ".cm-gutters": { backgroundColor: "var(--c-sheet)", color: "var(--c-soft)", border: "none", borderRight: "1px solid var(--c-edge)" },
  ".cm-activeLine": { backgroundColor: "color-mix(in srgb, var(--c-hover) 70%, transparent)" },
  ".cm-activeLineGutter": { backgroundColor: "var(--c-hover)", color: "var(--c-ink)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": { backgroundColor: "color-mix(in srgb, var(--c-focus) 30%, transparent)" },
  ".cm-selectionMatch": { backgroundColor: "var(--c-picked)" },
  ".cm-searchMatch": { backgroundColor: "var(--c-hold-tint)", outline: "1px solid var(--c-hold-fill)" },
  ".cm-searchMatch-selected": { backgroundColor: "var(--c-picked)", outline: "2px solid var(--c-focus)" },
  ".cm-matchingBracket": { backgroundColor: "var(--c-picked) !important" },
  ".cm-foldPlaceholder": { backgroundColor: "var(--c-sunken)", border: "1px solid var(--c-edge)", color: "var(--c-soft)" },
  ".cm-template": { backgroundColor: "var(--c-live-tint)", borderRadius: "3px" },
  ".cm-panels": { backgroundColor: "var(--c-raised)", color: "var(--c-ink)", borderColor: "var(--c-edge)" },
  ".cm-panel input": { backgroundColor: "var(--c-sheet)", color: "var(--c-ink)", border: "1px solid var(--c-edge-strong)", borderRadius: "4px" },
  ".cm-button": { backgroundImage: "none", backgroundColor: "var(--c-sheet)", color: "var(--c-ink)", border: "1px solid var(--c-edge-strong)", borderRadius: "4px" },
  ".cm-panel.cm-search [name=close]": { color: "var(--c-ink)" },
  ".cm-tooltip": { backgroundColor: "var(--c-raised)", color: "var(--c-ink)", border: "1px solid var(--c-edge)", borderRadius: "6px", maxWidth: "44rem" },
  ".cm-diagnostic": { fontFamily: "var(--sans)", padding: "6px 10px", whiteSpace: "pre-wrap" },
  ".cm-diagnostic-error": { borderLeft: "4px solid var(--c-bad-fill)" },
  ".cm-diagnostic-warning": { borderLeft: "4px solid var(--c-hold-fill)" },
  ".cm-diagnostic-info": { borderLeft: "4px solid var(--c-live-fill)" },
  ".cm-lintRange-error": { backgroundImage: "none", textDecoration: "underline wavy var(--c-bad-fill) 1.5px", textUnderlineOffset: "3px", textDecorationSkipInk: "none" },
  ".cm-lintRange-warning": { backgroundImage: "none", textDecoration: "underline wavy var(--c-hold-fill) 1.5px", textUnderlineOffset: "3px", textDecorationSkipInk: "none" },
  ".cm-lintRange-info": { backgroundImage: "none", textDecoration: "underline dotted var(--c-live-fill) 1.5px", textUnderlineOffset: "3px" },
  // The marks of the gutter are images in data addresses, which the policy of the page refuses.
  ".cm-lint-marker": { content: "none !important", width: "0.9em", height: "0.9em", borderRadius: "50%" },
  ".cm-lint-marker-error": { backgroundColor: "var(--c-bad-fill)", borderRadius: "2px" },
  ".cm-lint-marker-warning": { backgroundColor: "var(--c-hold-fill)", clipPath: "polygon(50% 0, 100% 100%, 0 100%)", borderRadius: "0" },
  ".cm-lint-marker-info": { backgroundColor: "var(--c-live-fill)" },
});

const ink = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: "var(--c-link)" },
  { tag: tags.string, color: "var(--c-good)" },
  { tag: tags.comment, color: "var(--c-soft)", fontStyle: "italic" },
  { tag: [tags.labelName, tags.typeName, tags.keyword, tags.meta], color: "var(--c-off)" },
  { tag: [tags.punctuation, tags.separator, tags.squareBracket, tags.brace], color: "var(--c-soft)" },
]);

const matcher = new MatchDecorator({ regexp: /\{\{.*?\}\}|\{%.*?%\}/g, decoration: Decoration.mark({ class: "cm-template" }) });
const templates = ViewPlugin.fromClass(
  class {
    marks: DecorationSet;
    constructor(view: EditorView) {
      this.marks = matcher.createDeco(view);
    }
    update(u: ViewUpdate) {
      this.marks = matcher.updateDeco(u, this.marks);
    }
  },
  { decorations: (p) => p.marks },
);

/**
 * Code is an editor of YAML. It lives in a shadow root, where its styles are
 * adopted sheets: the policy of the page permits no style elements.
 */
export function Code(p: Props) {
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView>(null);
  const props = useRef(p);
  props.current = p;

  useEffect(() => {
    const el = host.current!;
    const root = el.shadowRoot ?? el.attachShadow({ mode: "open" });
    root.replaceChildren();
    const place = document.createElement("div");
    place.style.height = "100%";
    root.append(place);
    const v = new EditorView({
      parent: place,
      root,
      state: EditorState.create({
        doc: props.current.text,
        extensions: [
          lineNumbers(), foldGutter(), lintGutter(), highlightSpecialChars(), history(), drawSelection(), rectangularSelection(), indentOnInput(), bracketMatching(),
          highlightActiveLine(), highlightActiveLineGutter(), highlightSelectionMatches(), search({ top: true }), yaml(), indentUnit.of("  "), templates, theme, syntaxHighlighting(ink),
          EditorState.readOnly.of(props.current.readOnly),
          EditorView.contentAttributes.of({ "aria-label": "Definition in YAML. Escape, then Tab, leaves the editor.", spellcheck: "false", tabindex: "0" }),
          keymap.of([
            { key: "F8", run: nextDiagnostic },
            { key: "Shift-F8", run: previousDiagnostic },
            ...defaultKeymap, ...historyKeymap, ...searchKeymap, ...foldKeymap, indentWithTab,
          ]),
          EditorView.domEventHandlers({
            // What is typed over a selection the browser would put into an
            // element with a style of its own, which the policy refuses.
            beforeinput(e, v) {
              if (e.inputType !== "insertText" || e.data === null || v.composing || v.state.readOnly || v.state.selection.main.empty) return false;
              e.preventDefault();
              v.dispatch(v.state.replaceSelection(e.data), { userEvent: "input.type", scrollIntoView: true });
              return true;
            },
          }),
          EditorView.updateListener.of((u) => {
            if (u.docChanged) props.current.onChange(u.state.doc.toString());
            if (u.docChanged || u.selectionSet) props.current.onLine(u.state.doc.lineAt(u.state.selection.main.head).number);
          }),
        ],
      }),
    });
    view.current = v;
    // What is typed here must not reach the keys of the page, which see the
    // host of the shadow and not the text in it.
    const keep = (e: KeyboardEvent) => {
      if (!e.ctrlKey && !e.metaKey) e.stopPropagation();
    };
    el.addEventListener("keydown", keep);
    return () => {
      el.removeEventListener("keydown", keep);
      v.destroy();
      view.current = null;
    };
  }, []);

  useEffect(() => {
    const v = view.current;
    if (v) v.dispatch(setDiagnostics(v.state, p.diagnostics.map((d) => markOf(v.state.doc, d))));
  }, [p.diagnostics]);

  useImperativeHandle(p.handle, () => ({
    go(line, column = 1) {
      const v = view.current;
      if (!v) return;
      const at = offset(v.state.doc, line, column);
      v.dispatch({ selection: { anchor: at }, effects: EditorView.scrollIntoView(at, { y: "center" }) });
      v.focus();
    },
    replace(text) {
      const v = view.current;
      v?.dispatch({ changes: { from: 0, to: v.state.doc.length, insert: text } });
    },
  }));

  return <div ref={host} data-testid="code" className="h-full min-h-0 [--sans:var(--default-font-family,system-ui)]" />;
}

/** offset turns a line and a column, which counts characters, into a place of the text. */
function offset(doc: Text, line: number, column: number): number {
  if (line < 1) return 0;
  const l = doc.line(Math.min(line, doc.lines));
  let at = 0;
  for (let n = 1; n < column && at < l.text.length; n++) at += l.text.codePointAt(at)! > 0xffff ? 2 : 1;
  return l.from + at;
}

function markOf(doc: Text, d: Diagnostic): Mark {
  const from = offset(doc, d.line, d.column);
  const line = doc.lineAt(from);
  const rest = /^[^\s:,\]}]+/.exec(line.text.slice(from - line.from));
  return {
    from,
    to: Math.min(line.to, from + (rest?.[0].length ?? 1)),
    severity: d.severity === "note" ? "info" : d.severity,
    message: d.fix ? `${d.message}\n${d.fix}` : d.message,
    source: d.path,
  };
}
