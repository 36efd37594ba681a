// Looks at the rendered report and returns what is wrong with it, as a list of sentences.
(() => {
  const problems = [];
  document.querySelectorAll("details").forEach((d) => { d.open = true; });
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth + 1) {
    problems.push(`the page is ${root.scrollWidth} pixels wide in a window of ${root.clientWidth}`);
  }

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
      const c = getComputedStyle(el).backgroundColor;
      const ch = channels(c);
      if (ch.length >= 3 && (ch.length < 4 || ch[3] > 0)) return c;
    }
    return "rgb(255,255,255)";
  };
  for (const el of document.querySelectorAll("h1,h2,h3,p,li,td,th,b,span,summary,code,a,.soft")) {
    const c = contrast(getComputedStyle(el).color, paper(el));
    if (c < 4.5) problems.push(`contrast ${c.toFixed(1)} of <${el.tagName}> "${el.textContent.trim().slice(0, 30)}"`);
  }

  // Text that is wider than its box, and boxes that lie on the box before them.
  for (const el of document.querySelectorAll("h1,h2,h3,p,li,summary,td,th,nav")) {
    if (el.scrollWidth > el.clientWidth + 1 && getComputedStyle(el).display !== "inline") {
      problems.push(`<${el.tagName}> "${el.textContent.trim().slice(0, 30)}" is wider than its box`);
    }
  }
  for (const box of document.querySelectorAll("body,section,details,ul,tbody,tr,.plots,nav")) {
    let before = null;
    for (const el of box.children) {
      const r = el.getBoundingClientRect();
      if (r.width === 0 || r.height === 0) continue;
      if (before && r.top < before.bottom - 1 && r.left < before.right - 1 && r.bottom > before.top + 1 && r.right > before.left + 1) {
        problems.push(`<${el.tagName}> "${el.textContent.trim().slice(0, 30)}" lies on what comes before it`);
      }
      before = r;
    }
  }

  const svgs = document.querySelectorAll("svg.plot");
  if (svgs.length === 0) problems.push("no plot is drawn");
  for (const svg of svgs) {
    const name = svg.getAttribute("aria-label");
    const outer = svg.getBoundingClientRect();
    // What lies in the padding is not drawn.
    const pad = parseFloat(getComputedStyle(svg).paddingLeft) || 0;
    const frame = new DOMRect(outer.x + pad, outer.y + pad, outer.width - 2 * pad, outer.height - 2 * pad);
    if (frame.width < 100 || frame.height < 60) problems.push(`plot "${name}" is ${frame.width} by ${frame.height} pixels`);
    const texts = [...svg.querySelectorAll("text")].map((t) => ({ t, r: t.getBoundingClientRect() }));
    if (texts.length < 4) problems.push(`plot "${name}" has hardly any text`);
    for (const { t, r } of texts) {
      const slack = Math.min(r.width, r.height) / 3; // boxes are taller than their glyphs
      if (r.left < frame.left - slack || r.right > frame.right + slack || r.top < frame.top - slack || r.bottom > frame.bottom + slack) {
        problems.push(`plot "${name}": "${t.textContent}" is cut off`);
      }
      const c = contrast(getComputedStyle(t).fill, paper(svg));
      if (c < 4.5) problems.push(`plot "${name}": contrast ${c.toFixed(1)} of "${t.textContent}"`);
    }
    // Line boxes are taller than their glyphs: a fifth is taken off each edge before boxes may not meet.
    const inner = texts.map(({ t, r }) => ({ t, x0: r.left, x1: r.right, y0: r.top + r.height / 5, y1: r.bottom - r.height / 5 }));
    inner.forEach((a, i) => inner.slice(i + 1).forEach((b) => {
      if (a.x0 < b.x1 && b.x0 < a.x1 && a.y0 < b.y1 && b.y0 < a.y1) {
        problems.push(`plot "${name}": "${a.t.textContent}" and "${b.t.textContent}" overlap`);
      }
    }));
    for (const p of svg.querySelectorAll("path")) {
      for (const prop of ["fill", "stroke"]) {
        const v = getComputedStyle(p)[prop];
        if (v === "none" || v === "rgba(0, 0, 0, 0)") continue;
        const c = contrast(v, paper(svg));
        if (c < 3) problems.push(`plot "${name}": contrast ${c.toFixed(1)} of a ${prop} in ${v}`);
      }
    }
  }
  return [...new Set(problems)];
})();
