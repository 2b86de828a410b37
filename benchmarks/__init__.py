"""How fast the server is, beside its neighbours and beside the kernel's floor.

    python -m benchmarks --quick

Reading order: workloads (what is asked), servers (of whom), load (by which client), rounds
(in which order), report and plot (what is said of it). `load.c` and `floor.c` are the
client and the floor; `peers/` holds the other servers, one small file each. Linux only:
the numbers come from epoll, CPU clocks of other processes and /proc.
"""
