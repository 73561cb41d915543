// Builds elements. Text always becomes text nodes, so nothing that a user sends is ever read as HTML.

// h("button.primary", { type: "button", onclick: save, "aria-label": "Save" }, "Save", icon)
// Properties that begin with "on" are listeners; null, undefined and false are left out; true is an empty attribute.
export function h(selector, properties = {}, ...children) {
  const [tag, ...classes] = selector.split(".");
  return furnish(document.createElement(tag || "div"), classes, properties, children);
}

// The same for SVG.
export function svg(selector, properties = {}, ...children) {
  const [tag, ...classes] = selector.split(".");
  return furnish(document.createElementNS("http://www.w3.org/2000/svg", tag), classes, properties, children);
}

function furnish(element, classes, properties, children) {
  if (classes.length) element.classList.add(...classes);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value" || name === "checked" || name === "selected") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

// Puts these children in place of all that an element has.
export function fill(element, ...children) {
  element.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

// Makes `list` show `items`: keeps the elements of those that are there already, in the order of `items`.
// `key` names an item, `make` makes its element once, `update` brings an element up to date.
export function reconcile(list, items, { key, make, update }) {
  // What stands there without a name, such as a skeleton, was in place of the items.
  for (const child of [...list.children]) if (child.dataset.key === undefined) child.remove();
  const known = new Map([...list.children].map((child) => [child.dataset.key, child]));
  let place = list.firstElementChild;
  for (const item of items) {
    const name = String(key(item));
    let element = known.get(name);
    if (element) known.delete(name);
    else {
      element = make(item);
      element.dataset.key = name;
    }
    update?.(element, item);
    if (element === place) place = place.nextElementSibling;
    else list.insertBefore(element, place);
  }
  for (const gone of known.values()) gone.remove();
}
