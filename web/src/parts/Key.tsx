/* Keys as they are printed on the page: "Ctrl K" becomes two caps. */

export function Keys({ of, text }: { of: string; text: string }) {
  return (
    <span>
      {of.split(" ").map((key) => <kbd class="key" key={key}>{key}</kbd>)} {text}
    </span>
  );
}
