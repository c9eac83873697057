import { Page } from "../ui/page";

/** Component is the page; it is still to be written. */
export function Component() {
  return <Page title="editor">Still to be written.</Page>;
}
