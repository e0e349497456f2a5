/* Works without a network; without scripts the page only loses sorting, copying and unfolding. */
var hljs = window.hljs ?? { highlightAll() {} };  // MNE calls it; pages embed no listings
(() => {
  const unfold = (element) => {
    for (let node = element; node; node = node.parentElement) {
      if (node.tagName === "DETAILS") node.open = true;
      if (node.classList.contains("collapse")) node.classList.add("show");
    }
  };
  const reveal = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    unfold(target);
    target.scrollIntoView();
  };
  const cellKey = (row, column) => {
    const cell = row.cells[column];
    const sort = cell.dataset.sort;
    if (sort === undefined) return cell.textContent.trim().toLowerCase();
    return sort === "" ? null : Number(sort);
  };
  const compare = (a, b, sign) => {
    if (a === null || b === null) return (a === null) - (b === null);  // missing goes last
    if (typeof a === "number" && typeof b === "number") return sign * (a - b);
    return sign * String(a).localeCompare(String(b), undefined, { numeric: true });
  };
  const makeSortable = (table) => {
    table.querySelectorAll("thead th").forEach((header, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...header.childNodes);
      header.append(button);
      button.addEventListener("click", () => {
        const upward = header.getAttribute("aria-sort") !== "ascending";
        table.querySelectorAll("thead th").forEach((other) => other.removeAttribute("aria-sort"));
        header.setAttribute("aria-sort", upward ? "ascending" : "descending");
        const body = table.tBodies[0];
        const rows = [...body.rows];
        rows.sort((a, b) => compare(cellKey(a, column), cellKey(b, column), upward ? 1 : -1));
        body.append(...rows);
      });
    });
  };
  const makeCopy = (button) => {
    const source = document.getElementById(button.dataset.copy);
    button.hidden = false;
    button.addEventListener("click", () => {
      const range = document.createRange();
      range.selectNodeContents(source);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      const done = document.execCommand("copy");
      getSelection().removeAllRanges();
      button.textContent = done ? "Copied" : "Press Ctrl+C";
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
  };
  const markHeadings = () => {  // the report's sections are buttons; a screen reader wants headings
    document.querySelectorAll("#content > .accordion-item > .accordion-header").forEach((header) => {
      header.setAttribute("role", "heading");
      header.setAttribute("aria-level", "2");
    });
  };
  window.addEventListener("load", () => {
    markHeadings();
    document.querySelectorAll("table.np-sortable").forEach(makeSortable);
    document.querySelectorAll("button[data-copy]").forEach(makeCopy);
    setTimeout(() => {
      window.onkeydown = null;  // MNE hides every section at the key T; its tags are not shown here
      reveal();
    }, 0);
  });
  window.addEventListener("hashchange", reveal);
  window.addEventListener("beforeprint", () => {
    document.querySelectorAll("details:not([open])").forEach((element) => {
      element.open = true;
      element.dataset.printed = "";
    });
  });
  window.addEventListener("afterprint", () => {
    document.querySelectorAll("details[data-printed]").forEach((element) => {
      element.open = false;
      delete element.dataset.printed;
    });
  });
})();
