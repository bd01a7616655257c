"""Makes readings.csv: 1 500 machines, five sensors on their own scales, and which of them failed within a month."""

import csv
from pathlib import Path

import numpy as np

ROWS = 1500
HEADER = ("temperature_k", "pressure_pa", "speed_rpm", "vibration_mm", "hours", "failed")


def main() -> None:
    """Draw the machines and write them, always the same ones."""
    random = np.random.default_rng(11)
    heat, pressure, speed, shake, age = random.normal(size=(5, ROWS))
    # Hot machines fail, old ones that shake fail, and neither speed nor pressure alone says much.
    logit = -3.6 + 1.5 * heat + 1.3 * np.maximum(age, 0) * shake + 0.9 * np.abs(speed - pressure)
    failed = random.random(ROWS) < 1 / (1 + np.exp(-logit))
    columns = (
        310 + 9 * heat,
        101_325 + 850 * pressure,
        1480 + 160 * speed,
        0.021 * np.exp(0.4 * shake),
        np.maximum(9000 + 3500 * age, 0),
    )
    digits = (2, 0, 0, 5, 0)
    with Path(__file__).with_name("readings.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        for i in range(ROWS):
            cells = (f"{column[i]:.{places}f}" for column, places in zip(columns, digits, strict=True))
            writer.writerow([*cells, "yes" if failed[i] else "no"])


if __name__ == "__main__":
    main()
