import { QueryCache, QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode, type ReactNode } from "react";
import { createRoot } from "react-dom/client";
import { createBrowserRouter, isRouteErrorResponse, Outlet, useRouteError } from "react-router";
import { RouterProvider } from "react-router/dom"; // that one can update at once
import { ApiError, session } from "./api";
import "./app.css";
import { gridQuery, workflowQuery } from "./app/cache";
import { KeysProvider } from "./app/keys";
import { LiveProvider } from "./app/live";
import { SessionProvider, sessionKey, takeToken } from "./app/session";
import { Shell } from "./app/shell";
import { applyTheme, ThemeProvider } from "./app/theme";
import { ToastProvider } from "./app/toast";
import { Failure, Page, Sheet } from "./ui/page";

applyTheme();
const token = takeToken();

// What is shown is read when a page comes up and kept true by events, so
// nothing is read again for its age.
const client = new QueryClient({
  queryCache: new QueryCache({
    onError: (e) => {
      if (e instanceof ApiError && e.kind === "signedOut") void client.invalidateQueries({ queryKey: sessionKey });
    },
  }),
  defaultOptions: {
    queries: {
      refetchOnWindowFocus: false,
      refetchOnReconnect: false,
      retry: (count, e) => count < 2 && e instanceof ApiError && (e.kind === "network" || e.kind === "busy"),
    },
  },
});

function Root() {
  return (
    <ToastProvider>
      <SessionProvider token={token}>
        <Outlet />
      </SessionProvider>
    </ToastProvider>
  );
}

// A page that does not load, or breaks, says so in its place.
function Broken() {
  const e = useRouteError();
  const shown = isRouteErrorResponse(e) && e.status === 404
    ? new ApiError("notFound", `The console has no page ${location.pathname}`, 404)
    : /import|module|fetch/i.test(String(e)) ? new Error("The console was replaced by a newer one. Load the page again.") : e;
  return <Page title="Something is wrong"><Sheet><Failure error={shown} retry={() => location.reload()} /></Sheet></Page>;
}

function Nowhere() {
  return <Page title="Not found"><Sheet><Failure error={new ApiError("notFound", `The console has no page ${location.pathname}.`, 404)} /></Sheet></Page>;
}

// Everyone needs it, and the pages' code comes meanwhile.
if (!token) void client.prefetchQuery({ queryKey: sessionKey, queryFn: ({ signal }) => session({ signal }) });
const workflowAt = /^\/workflows\/([^/]+)\/?$/.exec(location.pathname)?.[1];
if (workflowAt && !token) {
  void client.prefetchInfiniteQuery(gridQuery(decodeURIComponent(workflowAt)));
  void client.prefetchQuery(workflowQuery(decodeURIComponent(workflowAt)));
}

// The next page is likely one of these; they come when there is nothing to do.
addEventListener("load", () => setTimeout(() => void Promise.all([import("./pages/workflow"), import("./pages/run")]).catch(() => {}), 1500));

const router = createBrowserRouter([
  {
    Component: Root,
    HydrateFallback: () => null,
    ErrorBoundary: Broken,
    children: [
      { path: "/login", lazy: () => import("./pages/login") },
      {
        Component: Shell,
        children: [
          {
            ErrorBoundary: Broken,
            children: [
              { index: true, lazy: () => import("./pages/workflows") },
              { path: "new", lazy: () => import("./pages/editor") },
              { path: "workflows/:workflow/edit", lazy: () => import("./pages/editor") },
              { path: "workflows/:workflow/:tab?", lazy: () => import("./pages/workflow") },
              { path: "omics", lazy: () => import("./pages/omics") },
              { path: "runs/:run/:view?", lazy: () => import("./pages/run") },
              { path: "runs/:run/tasks/:task", lazy: () => import("./pages/task") },
              { path: "*", Component: Nowhere },
            ],
          },
        ],
      },
    ],
  },
]);

function Providers({ children }: { children: ReactNode }) {
  return (
    <QueryClientProvider client={client}>
      <ThemeProvider>
        <KeysProvider>
          <LiveProvider>{children}</LiveProvider>
        </KeysProvider>
      </ThemeProvider>
    </QueryClientProvider>
  );
}

const place = document.getElementById("app");
if (place) {
  createRoot(place).render(
    <StrictMode>
      <Providers>
        <RouterProvider router={router} />
      </Providers>
    </StrictMode>,
  );
}
