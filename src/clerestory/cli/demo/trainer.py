"""A training pipeline: scikit-learn, with the standard library's logging and ours mixed.

    breast cancer data (569 rows, shipped with scikit-learn) -> [trainer] -> spool

Load, split, search over parameters with cross-validation, judge; then again with another seed,
until SIGTERM.
"""

import itertools
import logging
import signal
import threading
import time
from typing import Any

from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, roc_auc_score
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import clerestory
from clerestory.cli.demo.counting import Counter

log = clerestory.get_logger("trainer")
plain = logging.getLogger("trainer.data")
made = Counter.from_environment("trainer")
stopping = threading.Event()

STRENGTHS = (0.001, 0.01, 0.1, 1.0, 10.0)
FOLDS = 5


def main() -> None:
    """Train until SIGTERM, which is obeyed between two fits."""
    signal.signal(signal.SIGTERM, lambda _number, _frame: stopping.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    clerestory.configure()
    for seed in itertools.count(1):
        if stopping.is_set():
            break
        with clerestory.request_context(run=f"run-{seed}"):
            _train(seed)
    log.info("stopped")
    made()


def _train(seed: int) -> None:
    features, labels = load_breast_cancer(return_X_y=True)
    plain.info("loaded %d rows with %d features", *features.shape)
    made()
    parts = train_test_split(features, labels, test_size=0.25, random_state=seed)
    plain.info("split", extra={"train_rows": len(parts[0]), "test_rows": len(parts[1])})
    made()
    best = _search(parts[0], parts[2], seed)
    if best is None:
        return
    model = _model(best).fit(parts[0], parts[2])
    accuracy = accuracy_score(parts[3], model.predict(parts[1]))
    area = roc_auc_score(parts[3], model.predict_proba(parts[1])[:, 1])
    log.notice("model judged", strength=best, accuracy=accuracy, area_under_curve=area)
    made()
    if accuracy < 0.95:
        log.warning("accuracy is low", accuracy=accuracy, wanted=0.95)
        made()


def _search(features: Any, labels: Any, seed: int) -> float | None:
    """Return the best strength, or None when it is time to stop."""
    scores: dict[float, float] = {}
    for done, strength in enumerate(STRENGTHS):
        scores[strength] = _cross_validate(features, labels, strength, seed)
        share = (done + 1) / len(STRENGTHS)
        log.info("searching", strength=strength, score=scores[strength], progress=share)
        made()
        if stopping.wait(0.15):
            return None
    return max(scores, key=lambda strength: scores[strength])


def _cross_validate(features: Any, labels: Any, strength: float, seed: int) -> float:
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    total = 0.0
    for number, (train, test) in enumerate(folds.split(features, labels), 1):
        begin = time.perf_counter()
        model = _model(strength).fit(features[train], labels[train])
        score = float(model.score(features[test], labels[test]))
        took_ms = (time.perf_counter() - begin) * 1000
        log.info("fold fitted", fold=number, score=score, duration_ms=round(took_ms, 3))
        made()
        total += score
    return total / FOLDS


def _model(strength: float) -> Any:
    return make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=500))


if __name__ == "__main__":
    main()
