"""A program that logs numbered records and says, in shared memory, how many calls returned.

python writer.py COUNTER WRITER_ID PAUSE_S [LIMIT]
"""

import mmap
import os
import struct
import sys
import time

import clerestory

counter_path, writer, pause_s = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
limit = int(sys.argv[4]) if len(sys.argv) > 4 else 1 << 60
descriptor = os.open(counter_path, os.O_RDWR | os.O_CREAT)
os.ftruncate(descriptor, 8)
counter = mmap.mmap(descriptor, 8)
log = clerestory.get_logger("writer")
number = 0
while number < limit:
    log.info("numbered", writer=writer, n=number)
    number += 1
    counter[:8] = struct.pack("<Q", number)
    if pause_s and number % 20 == 0:
        time.sleep(pause_s)
