/** The code that scenarios write in, realistic enough to be looked at in a picture. */

import type { Scratch } from "./scratch.ts";

export const CART = `"""A shopping cart, and what it costs."""

from dataclasses import dataclass, field


@dataclass
class Item:
    """One line of a cart."""

    name: str
    price: float
    quantity: int = 1

    def total(self) -> float:
        """Price of all pieces, in euros."""
        return self.price * self.quantity


@dataclass
class Cart:
    """What a customer is about to buy."""

    items: list[Item] = field(default_factory=list)

    def add(self, item: Item) -> None:
        """Put an item into the cart."""
        self.items.append(item)

    def remove(self, name: str) -> None:
        """Take every item of that name out of the cart."""
        self.items = [item for item in self.items if item.name != name]
`;

/**
 * What a test types behind {@link CART}, and where the starter model is sure of what it has to add: ` item in self.items)`
 * with a log-probability of -0.7, where -2.4 is the least that is shown. Which kernels compute it differs by machine.
 */
export const TOTAL = `
    def total(self) -> float:
        """Price of everything in the cart, in euros."""
        return sum(item.total() for`;

export function shop(scratch: Scratch): void {
  scratch.file("cart.py", CART);
  scratch.file("README.md", "# Shop\n\nA small shop.\n");
  scratch.file(
    "checkout.py",
    'from cart import Cart, Item\n\n\ndef receipt(cart: Cart) -> str:\n    """One line per item."""\n' +
      '    return "\\n".join(f"{item.name}: {item.total():.2f}" for item in cart.items)\n',
  );
}
