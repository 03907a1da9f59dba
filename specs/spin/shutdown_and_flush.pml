/* A shutdown returns: the liveness twin of `src/shutdown_and_flush.rs`.
 *
 * The steps are those of `millstream-sync/src/gate.rs`, of the doorbell that its closer sleeps on, and of the loop in which a second shutdown
 * waits for the first one's report (`millstream-runtime/src/shutdown.rs`). Threads flush as often as they like and may stay away for ever; a
 * flush ends, a panic leaves by the same guard, or (with -DHANGS) the first thread's never ends. Time is a choice, but it does pass: with
 * -DDEADLINE every deadline is over at some time.
 *
 * Under weak fairness: a thread that can go on for ever goes on.
 *
 * returns     who calls shutdown comes back, also with two at once
 * ends        who flushes comes to an end, refused or not
 * empties     after the close the count is zero from some time on
 *
 * -DTHREADS=n -DCLOSERS=n -DHANGS -DDEADLINE; -DNO_... and others: a planted bug.
 */

#ifndef THREADS
#define THREADS 2
#endif
#ifndef CLOSERS
#define CLOSERS 2
#endif

mtype = { AWAY, ARRIVED, COUNTED, WORKING, LEAVING };

mtype phase[THREADS] = AWAY;
bool draining, closed;       /* the gate's state */
byte inside;                 /* passes counted */
byte sleepers;               /* of the gate's doorbell */
bool locked;                 /* its mutex */
bool asleep;                 /* a closer is on its condition variable: one at most, as the word says */
bool closing;                /* the word of who closes */
bool report;                 /* whether a shutdown has said what it did */
bool late;                   /* the deadline has passed */
bool called[CLOSERS], returned[CLOSERS];

/* Looks whether anybody sleeps, and wakes them. */
inline ring() {
    if
    :: sleepers > 0 -> !locked; asleep = false
    :: else
    fi
}

proctype Thread(byte i) {
away:
    phase[i] = AWAY;
    if
    :: goto gone
    :: phase[i] = ARRIVED
    fi;
again:
    /* the first look */
#ifndef NO_FIRST_CHECK
    if
#ifdef REFUSED_TRIES_AGAIN
    :: closed -> goto again
#else
    :: closed -> goto away
#endif
    :: else
    fi;
#endif
    atomic { inside++; phase[i] = COUNTED };
    /* the second look */
    if
    :: closed -> goto leave
    :: else -> phase[i] = WORKING
    fi;
    if
    :: skip
#ifdef HANGS
    :: i == 0 -> hung: false
#endif
#ifdef COUNT_KEPT
    :: skip; goto away
#endif
    fi;
leave:
    atomic { inside--; phase[i] = LEAVING };
    /* the third look: whether somebody waits for that */
#ifndef NO_THIRD_CHECK
    if
    :: draining -> ring()
    :: else
    fi;
#endif
    goto away;
gone:
    skip
}

proctype Closer(byte c) {
    called[c] = true;
    draining = true;
    if
    :: report -> goto done
    :: atomic { !report && !closing -> closing = true }
    :: atomic { !report && late -> goto done }
    fi;
    if
    :: report -> goto release
    :: else
    fi;
    closed = true;
    if
    :: inside == 0 -> goto tell
    :: else -> sleepers++
    fi;
    atomic { !locked -> locked = true };
#ifdef NO_LOOK_BEFORE_SLEEP
    goto sleep;
#endif
look:
    if
    :: inside == 0 -> goto awake
#ifndef DEADLINE_IGNORED
    :: inside > 0 && late -> goto awake
#endif
    :: else
    fi;
sleep:
    atomic { asleep = true; locked = false };
    if
    :: atomic { !asleep && !locked -> locked = true }
#ifndef DEADLINE_IGNORED
    :: atomic { late && !locked -> asleep = false; locked = true }
#endif
    fi;
    goto look;
awake:
    locked = false;
    sleepers--;
tell:
#ifndef REPORT_LOST
    report = true;
#endif
release:
#ifndef REPORT_LOST
    closing = false;
#endif
done:
    returned[c] = true
}

#ifdef DEADLINE
proctype Clock() {
    late = true
}
#endif

init {
    byte t;
    atomic {
        do
        :: t < THREADS -> run Thread(t); t++
        :: else -> break
        od;
        t = 0;
        do
        :: t < CLOSERS -> run Closer(t); t++
        :: else -> break
        od;
#ifdef DEADLINE
        run Clock()
#endif
    }
}

ltl returns { [] (called[0] -> <> returned[0]) }
ltl ends { [] (phase[0] == ARRIVED -> <> (phase[0] == AWAY)) }
ltl empties { [] (closed -> <> [] (inside == 0)) }
