"""A Flask program with OpenTelemetry's two instrumentations, on the SDK or on ours.

What people have in their app.py when they send traces to Honeycomb: the argument says on which.
It asks itself a price through `requests`, if the environment says where: a second service.
"""

import os
import sys
from datetime import UTC, datetime

import requests
from flask import Flask
from opentelemetry import trace
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from opentelemetry.instrumentation.requests import RequestsInstrumentor

if sys.argv[1] == "sdk":
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import (
        BatchSpanProcessor,
        ConsoleSpanExporter,
        SimpleSpanProcessor,
    )

    # Initialize tracing and an exporter that can send data to Honeycomb
    provider = TracerProvider()
    processor = BatchSpanProcessor(OTLPSpanExporter())
    provider.add_span_processor(processor)

    # Show this in the logs within the backend-flask app (STDOUT)
    simple_processor = SimpleSpanProcessor(ConsoleSpanExporter())

    trace.set_tracer_provider(provider)
else:
    import clerestory

    clerestory.configure()

tracer = trace.get_tracer("home.activities")

app = Flask(__name__)

# Initialize automatic instrumentation with Flask
FlaskInstrumentor().instrument_app(app)
RequestsInstrumentor().instrument()


class HomeActivities:
    @staticmethod
    def run():
        with tracer.start_as_current_span("home-activites-mock-data"):
            span = trace.get_current_span()
            now = datetime.now(UTC).astimezone()
            span.set_attribute("app.now", now.isoformat())
            results = [{"handle": "Andrew Brown"}, {"handle": "Worf"}]
            span.set_attribute("app.result_length", len(results))
            return results


@app.get("/api/activities/home")
def home():
    answer = requests.get(f"{os.environ['SECOND_URL']}/api/price/7", timeout=10)
    return {"activities": HomeActivities.run(), "price": answer.json()}


@app.get("/api/price/<int:item>")
def price(item):
    return {"item": item, "price": 4.2}


@app.get("/api/broken")
def broken():
    raise LookupError("no such activity")


if __name__ == "__main__":
    app.run(port=0)
