/* How large an element is drawn, kept up to date. */

import { type Signal, useSignal } from "@preact/signals";
import type { RefObject } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

/** A ref for the element, and its width and height without borders. */
export function useSize<T extends Element>(first: [number, number]): { element: RefObject<T | null>; size: Signal<[number, number]> } {
  const element = useRef<T>(null);
  const size = useSignal<[number, number]>(first);
  useLayoutEffect(() => {
    const seen = element.current;
    if (!seen) return undefined;
    const observer = new ResizeObserver(() => { size.value = [seen.clientWidth, seen.clientHeight]; });
    observer.observe(seen);
    return () => observer.disconnect();
  }, []);
  return { element, size };
}
