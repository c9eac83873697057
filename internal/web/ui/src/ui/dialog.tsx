import { useEffect, useId, useRef, useState, type ReactNode } from "react";
import { Button, IconButton } from "./button";

interface DialogProps {
  title: string;
  /** Called when the reader closes it, by Escape, the cross or a click beside it. */
  onClose: () => void;
  children: ReactNode;
  /** The width that it takes where there is room. */
  size?: "small" | "medium" | "large";
  /** Buttons, last the one that goes on. */
  footer?: ReactNode;
}

const widths = { small: "w-[26rem]", medium: "w-[38rem]", large: "w-[60rem]" };

/**
 * Dialog shows a modal window while it is mounted. It is the browser's own
 * dialog, which keeps the focus inside and gives it back on closing.
 */
export function Dialog({ title, onClose, children, size = "small", footer }: DialogProps) {
  const ref = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const dialog = ref.current;
    const before = document.activeElement;
    dialog?.showModal();
    // The first thing to fill in, or the button that changes nothing, rather
    // than the cross, which comes first.
    (dialog?.querySelector<HTMLElement>("[data-body] :is(input, select, textarea, [tabindex='0'])") ?? dialog?.querySelector<HTMLElement>("footer button"))?.focus();
    return () => {
      dialog?.close();
      // A menu item that opened the dialog is gone by now; then focus is
      // where the menu left it.
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <dialog ref={ref} aria-labelledby={id}
      onCancel={(e) => { e.preventDefault(); onClose(); }}
      onMouseDown={(e) => { if (e.target === ref.current) onClose(); }}
      className={`m-auto max-h-[calc(100dvh-2rem)] max-w-[calc(100vw-1.5rem)] overflow-hidden rounded-lg border border-edge bg-raised p-0 text-ink shadow-up ${widths[size]} open:flex`}>
      <div className="flex min-h-0 min-w-0 flex-1 flex-col">
        <header className="flex items-center justify-between gap-4 border-b border-edge py-2 pr-2 pl-4">
          <h2 id={id} className="text-base font-semibold">{title}</h2>
          <IconButton icon="close" label="Close" onClick={onClose} />
        </header>
        <div data-body className="min-h-0 flex-1 overflow-y-auto p-4">{children}</div>
        {footer && <footer className="flex flex-wrap justify-end gap-2 border-t border-edge px-4 py-3">{footer}</footer>}
      </div>
    </dialog>
  );
}

interface ConfirmProps {
  title: string;
  /** What will happen, exactly. */
  children: ReactNode;
  /** The verb on the button. */
  action: string;
  danger?: boolean;
  /** Does it. The dialog closes when it is done, and shows an error when it throws. */
  onConfirm: () => Promise<unknown>;
  onClose: () => void;
}

/** Confirm asks before something that is not easily undone. */
export function Confirm({ title, children, action, danger, onConfirm, onClose }: ConfirmProps) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState("");
  const go = async () => {
    setBusy(true);
    setError("");
    try {
      await onConfirm();
      onClose();
    } catch (e) {
      setError(e instanceof Error ? e.message : String(e));
      setBusy(false);
    }
  };
  return (
    <Dialog title={title} onClose={onClose} footer={<>
      <Button onClick={onClose}>Leave it</Button>
      <Button kind={danger ? "danger" : "primary"} busy={busy} onClick={go}>{action}</Button>
    </>}>
      <div className="space-y-2">{children}</div>
      {error && <p role="alert" className="mt-3 rounded-md bg-bad-tint px-3 py-2 text-bad">{error}</p>}
    </Dialog>
  );
}
