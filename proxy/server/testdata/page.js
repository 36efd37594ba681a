// Looks at the rendered page of operators and returns what is wrong with it, as a list of sentences.
(() => {
  const problems = [];
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth + 1) problems.push(`the page is ${root.scrollWidth} pixels wide in a window of ${root.clientWidth}`);

  // Contrast as WCAG 2 defines it.
  const channels = (css) => (css.match(/[\d.]+/g) || []).map(Number);
  const luminance = ([r, g, b]) => {
    const lin = [r, g, b].map((v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * lin[0] + 0.7152 * lin[1] + 0.0722 * lin[2];
  };
  const contrast = (a, b) => {
    const [x, y] = [luminance(channels(a)), luminance(channels(b))].sort((p, q) => q - p);
    return (x + 0.05) / (y + 0.05);
  };
  const paper = (el) => {
    for (; el; el = el.parentElement) {
      const c = getComputedStyle(el).backgroundColor, ch = channels(c);
      if (ch.length >= 3 && (ch.length < 4 || ch[3] > 0)) return c;
    }
    return "rgb(255,255,255)";
  };

  // Every piece of text, with the part of it that can be seen without scrolling.
  const pieces = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const node = walk.currentNode, el = node.parentElement, text = node.textContent.trim();
    if (!text || ["SCRIPT", "STYLE"].includes(el.tagName) || !el.checkVisibility()) continue;
    const c = contrast(getComputedStyle(el).color, paper(el));
    if (c < 4.5) problems.push(`contrast ${c.toFixed(1)} of "${text.slice(0, 30)}"`);
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const r of range.getClientRects()) {
      let box = {l: r.left, r: r.right, t: r.top, b: r.bottom};
      for (let up = el; up && up !== document.body; up = up.parentElement) {
        const style = getComputedStyle(up);
        if (style.overflowX === "visible") continue;
        const o = up.getBoundingClientRect();
        const hidden = box.l < o.left - 1 || box.r > o.right + 1;
        if (hidden && style.overflowX !== "auto" && !up.title) problems.push(`"${text.slice(0, 30)}" is cut off`);
        box = {l: Math.max(box.l, o.left), r: Math.min(box.r, o.right), t: box.t, b: box.b};
      }
      if (box.l < -1 || box.r > root.clientWidth + 1) problems.push(`"${text.slice(0, 30)}" leaves the window`);
      // Line boxes are taller than their glyphs: a fifth is taken off each edge before boxes may not meet.
      const h = (box.b - box.t) / 5;
      if (box.r > box.l) pieces.push({node, text, l: box.l + 0.5, r: box.r - 0.5, t: box.t + h, b: box.b - h});
    }
  }
  pieces.forEach((a, i) => pieces.slice(i + 1).forEach((b) => {
    if (a.node !== b.node && a.l < b.r && b.l < a.r && a.t < b.b && b.t < a.b) problems.push(`"${a.text.slice(0, 30)}" and "${b.text.slice(0, 30)}" overlap`);
  }));

  // What keyboards and screen readers need.
  for (const el of document.querySelectorAll("button,input,a,section,[role=region]")) {
    const by = el.getAttribute("aria-labelledby");
    const name = el.getAttribute("aria-label") || (by && document.getElementById(by) && document.getElementById(by).textContent) || el.textContent.trim();
    if (!name) problems.push(`a <${el.tagName}> without a name`);
  }
  for (const el of document.querySelectorAll("th")) if (!el.scope) problems.push(`the heading "${el.textContent}" belongs to no row or column`);
  for (const el of document.querySelectorAll("*")) {
    if (getComputedStyle(el).overflowX === "auto" && el.scrollWidth > el.clientWidth && el.tabIndex < 0) problems.push("something is scrolled that a keyboard cannot reach");
  }
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  if (new Set(ids).size !== ids.length) problems.push("an id occurs twice");
  if (document.querySelectorAll("#routes tr").length === 0) problems.push("no routes are shown");
  if (document.querySelectorAll("#tiles path[d^=M]").length < 5) problems.push("the trends are not drawn");
  return [...new Set(problems)];
})();
