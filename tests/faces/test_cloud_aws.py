"""Every example of the manuals, with only the import or the class's path changed."""

import json

import pytest
import yaml

from clerestory.integrations.cloudwatch import with_own_handlers
from tests.support.cloudwatch import endpoint_of_environment, run


@pytest.fixture
def double(monkeypatch, tmp_path):
    with endpoint_of_environment(monkeypatch, tmp_path) as one:
        yield one


def test_the_quick_start(tmp_path, double):
    """The first lines that anybody tries."""
    run(
        tmp_path,
        double,
        """
        from clerestory.cloud import create_cloudwatch_logger

        # Create a CloudWatch logger
        logger = create_cloudwatch_logger(
            name="my_application",
            log_group="/aws/my-app/production",
            region="us-east-1"
        )

        # Start logging
        logger.info("Application started")
        logger.error("An error occurred", extra={"error_code": "E001"})
        """,
    )

    first, second = double.records("/aws/my-app/production")
    assert (first["message"], first["level"]) == ("Application started", "INFO")
    assert (second["error_code"], second["logger"]) == ("E001", "my_application")


def test_configuration_context_and_statistics(tmp_path, double):
    """The basic and the context example, then what the manual reads of a handler."""
    output = run(
        tmp_path,
        double,
        """
        from clerestory import get_logger
        from clerestory.cloud import CloudWatchConfig, CloudWatchHandler
        from clerestory.context import request_context

        config = CloudWatchConfig(
            log_group="/aws/my-app/production",
            log_stream="api-server-1",  # Optional - auto-generated if not provided
            region="us-east-1",
            create_log_group=True,  # Auto-create log group if needed
            create_log_stream=True  # Auto-create log stream if needed
        )
        logger = get_logger("my_app")
        cloudwatch_handler = CloudWatchHandler(config)
        logger.addHandler(cloudwatch_handler)

        def process_request():
            with request_context(user_id="user123", request_id="req456"):
                logger.info("Processing request")

        process_request()
        handler = cloudwatch_handler
        print(f"Queue size: {handler.queue.qsize()}")
        print(f"Worker running: {handler._worker_thread.is_alive()}")
        handler.flush()
        print(f"Queue size: {handler.queue.qsize()}")
        """,
    )

    (record,) = double.records("/aws/my-app/production", "api-server-1")
    assert record.pop("timestamp").endswith("Z")
    assert record.pop("_cid").endswith(":0")
    assert record == {
        "message": "Processing request",
        "level": "INFO",
        "logger": "my_app",
        "module": "my_app",
        "funcName": "process_request",
        "lineno": 19,
        "user_id": "user123",
        "request_id": "req456",
    }
    assert output == "Queue size: 1\nWorker running: True\nQueue size: 0\n"


def test_the_advanced_configuration(tmp_path, double):
    """Every parameter at once, with temporary credentials."""
    double.secrets = {"YOUR_ACCESS_KEY": "YOUR_SECRET_KEY"}
    double.token = "SESSION_TOKEN"
    run(
        tmp_path,
        double,
        """
        import time
        from clerestory import get_logger
        from clerestory.cloud import CloudWatchConfig, CloudWatchHandler

        config = CloudWatchConfig(
            log_group="/aws/my-app/production",
            log_stream=f"api-server-{int(time.time())}",
            region="us-east-1",
            batch_size=200,
            flush_interval=10.0,
            max_queue_size=50000,
            compress_logs=True,
            async_upload=True,
            max_retries=5,
            retry_delay=1.0,
            exponential_backoff=True,
            aws_access_key_id="YOUR_ACCESS_KEY",
            aws_secret_access_key="YOUR_SECRET_KEY",
            aws_session_token="SESSION_TOKEN"
        )
        logger = get_logger("my_app")
        logger.addHandler(CloudWatchHandler(config))
        for number in range(1000):
            logger.info("numbered", extra={"n": number})
        """,
    )

    found = [record["n"] for record in double.records("/aws/my-app/production")]
    assert found == list(range(1000))


PIPELINE_YAML = """
version: 1
disable_existing_loggers: False
formatters:
  json:
    format: "[%(asctime)s] %(process)d %(levelname)s %(name)s:%(funcName)s:%(lineno)s - %(message)s"
  plaintext:
    format: "[%(asctime)s] %(process)d %(levelname)s %(name)s:%(funcName)s:%(lineno)s - %(message)s"
handlers:
  echodataflow_watchtower:
    class: CLASS
    formatter: json
    level: DEBUG
    log_group_name: echodataflow_logs
    log_stream_name: echodataflow_stream
    send_interval: 10
    create_log_group: False
  logfile:
    class: logging.handlers.RotatingFileHandler
    formatter: plaintext
    level: DEBUG
    filename: echodataflow.log
    maxBytes: 1000000
    backupCount: 3
loggers:
  echodataflow:
    level: DEBUG
    propagate: False
    handlers: [echodataflow_watchtower, logfile]
"""
PIPELINE_PROGRAM = """
    from pathlib import Path
    import yaml
    import logging.config

    # Load logging configuration
    logging_config_path = Path("./logging.yaml").resolve()
    with open(logging_config_path, 'r') as f:
        logging_config = yaml.safe_load(f)

    # Set up logging
    logging.config.dictConfig(logging_config)
    logger = logging.getLogger('echodataflow')
    logger.info("Echodataflow started successfully.")
    """


def test_the_pipelines_yaml(tmp_path, double):
    """The file and CloudWatch show the same text, as with watchtower."""
    double._create_log_group({"logGroupName": "echodataflow_logs"})
    ours = PIPELINE_YAML.replace("CLASS", "clerestory.cloud.CloudWatchLogHandler")
    (tmp_path / "logging.yaml").write_text(ours)

    run(tmp_path, double, PIPELINE_PROGRAM)

    (message,) = double.messages("echodataflow_logs", "echodataflow_stream")
    assert "INFO echodataflow:<module>:" in message
    assert message.endswith("Echodataflow started successfully.")
    assert (tmp_path / "echodataflow.log").read_text() == message + "\n"


def test_the_pipelines_yaml_unchanged():
    """Its class is read as ours; everything else stays as it is, and the mapping given too."""
    given = yaml.safe_load(PIPELINE_YAML.replace("CLASS", "watchtower.CloudWatchLogHandler"))
    before = json.dumps(given)

    ours = with_own_handlers(given)

    assert json.dumps(given) == before
    handler = ours["handlers"]["echodataflow_watchtower"]
    assert handler.pop("class") == "clerestory.cloud.CloudWatchLogHandler"
    given["handlers"]["echodataflow_watchtower"].pop("class")
    assert ours == given


def test_the_pipelines_yaml_runs_unchanged_through_configure(tmp_path, double):
    """A program whose file still names watchtower, which need not be installed."""
    double._create_log_group({"logGroupName": "echodataflow_logs"})
    theirs = PIPELINE_YAML.replace("CLASS", "watchtower.CloudWatchLogHandler")
    (tmp_path / "logging.yaml").write_text(theirs)

    run(
        tmp_path,
        double,
        """
        import logging
        import sys
        import clerestory

        sys.modules["watchtower"] = None  # importing it would fail
        clerestory.configure(logging_config="logging.yaml")
        logging.getLogger("echodataflow").info("Echodataflow started successfully.")
        """,
    )

    (message,) = double.messages("echodataflow_logs", "echodataflow_stream")
    assert "INFO echodataflow:<module>:" in message
    assert message.endswith("Echodataflow started successfully.")
