import profiler

_REPORT = """# Samples: 4K of event 'cpu-clock:ppp'
# Overhead  Shared Object                    Symbol
# ........  ...............................  ......
#
     5.40%  [kernel.kallsyms]                [k] finish_task_switch.isra.0
    10.60%  jobrun-controller                [.] jobrun::Store::PlaceOf
     2.00%  jobrun-controller                [.] jobrun::json::ObjectReader::ReadSpec
     0.50%  jobrun-controller                [.] jobrun::(anonymous namespace)::HasLane
     0.50%  jobrun-controller                [.] boost::asio::detail::wait_handler<jobrun::Timer::Impl::Arm(long)>::do_complete
     1.25%  libcrypto.so.3                   [.] aes_gcm_dec
     1.00%  libc.so.6                        [.] __memmove_avx512_unaligned_erms
     0.75%  libc.so.6                        [.] epoll_wait
     0.59%  [vdso]                           [.] __vdso_clock_gettime
"""


def test_samples_are_sorted_by_parts():
    assert profiler.shares(_REPORT) == {
        "engine": 11.1, "kernel": 6.0, "decoding": 2.0, "TLS (OpenSSL)": 1.2, "memory and copying (libc)": 1.0,
        profiler.OTHER: 0.8, "connections and loop (Asio)": 0.5}


def test_nothing_seen_is_no_part():
    assert profiler.shares("# Samples: 0\n") == {}
