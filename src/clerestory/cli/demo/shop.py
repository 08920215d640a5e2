"""A shop: Flask under gunicorn, logging with clerestory.

    shoppers -> gunicorn, two workers -> [shop] -> get_logger, request_context -> spool

Products, carts and a checkout whose payments fail now and then, so that there is something to
look for on the page.
"""

import random
import time
import uuid
from contextlib import ExitStack
from typing import Any, Final

from flask import Flask, Response, g, jsonify, request
from werkzeug.exceptions import HTTPException

import clerestory
from clerestory.cli.demo.counting import Counter

PRODUCTS: Final = {
    1: ("teapot", 24.5),
    2: ("kettle", 39.0),
    3: ("cup", 6.9),
    4: ("strainer", 4.2),
    5: ("caddy", 14.0),
}

app = Flask("shop")
log = clerestory.get_logger("shop")
made = Counter.from_environment("shop")
carts: dict[str, list[int]] = {}


class PaymentDeclinedError(Exception):
    """The bank said no."""


@app.before_request
def _begin() -> None:
    g.started = time.perf_counter()
    g.scope = ExitStack()
    user = request.headers.get("X-User", "guest")
    request_id = uuid.uuid4().hex[:12]
    g.scope.enter_context(clerestory.request_context(request_id=request_id, user_id=user))


@app.after_request
def _end(response: Response) -> Response:
    took_ms = round((time.perf_counter() - g.started) * 1000, 3)
    what = f"{request.method} {request.path}"
    fields: dict[str, Any] = {"status": response.status_code, "duration_ms": took_ms}
    log.info(what, **fields)
    made()
    return response


@app.teardown_request
def _close(_error: BaseException | None) -> None:
    g.scope.close()


@app.get("/products")
def list_products() -> Response:
    """Return all products."""
    return jsonify([{"id": key, "name": name} for key, (name, _) in PRODUCTS.items()])


@app.get("/products/<int:product>")
def show_product(product: int) -> tuple[Response, int] | Response:
    """Return one product."""
    if product not in PRODUCTS:
        log.warning("no such product", product=product)
        made()
        return jsonify(error="no such product"), 404
    name, price = PRODUCTS[product]
    return jsonify(id=product, name=name, price=price)


@app.post("/cart/<int:product>")
def add_to_cart(product: int) -> tuple[Response, int]:
    """Put a product into the user's cart."""
    cart = carts.setdefault(request.headers.get("X-User", "guest"), [])
    cart.append(product)
    log.info("added to cart", product=product, items=len(cart))
    made()
    return jsonify(items=len(cart)), 201


@app.post("/checkout")
def check_out() -> Response:
    """Pay for what is in the cart."""
    cart = carts.pop(request.headers.get("X-User", "guest"), None) or [1]
    amount = round(sum(PRODUCTS[product][1] for product in cart), 2)
    order = uuid.uuid4().hex[:8]
    _pay(order, amount)
    log.notice("order paid", order=order, amount=amount, items=len(cart))
    made()
    return jsonify(order=order, amount=amount)


def _pay(order: str, amount: float) -> None:
    log.info("payment started", order=order, amount=amount, card_number="4111111111111111")
    made()
    chance = random.random()
    if chance < 0.06:
        raise PaymentDeclinedError(f"card declined for order {order}")
    if chance < 0.09:
        # A plain mistake, as programs have them.
        amount / (round(chance) * 2)


@app.errorhandler(PaymentDeclinedError)
def _declined(error: PaymentDeclinedError) -> tuple[Response, int]:
    log.error("payment declined", reason=str(error))
    made()
    return jsonify(error="payment declined"), 402


@app.errorhandler(Exception)
def _broken(error: Exception) -> tuple[Response, int] | HTTPException:
    if isinstance(error, HTTPException):
        return error
    log.error("request failed", exc_info=error, path=request.path)
    made()
    return jsonify(error="internal error"), 500
