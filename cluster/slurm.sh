#!/bin/bash
# One evenkeel process on each node of the allocation; it uses all cores that it gets there.
#
#   sbatch cluster/slurm.sh job.toml
#   sbatch --nodes=16 --time=12:00:00 cluster/slurm.sh job.toml
#
# The exit code is the verdict of the run. Shortly before the time is up nothing more is started,
# and the job goes back into the queue; there, as after any requeue, it goes on from its journal.
#SBATCH --job-name=evenkeel
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --exclusive
#SBATCH --mem=0
#SBATCH --time=01:00:00
#SBATCH --signal=B:USR1@180
#SBATCH --requeue
#SBATCH --no-kill
#SBATCH --open-mode=append
set -u
# Slurm's warning goes to this script alone, perhaps before there is anyone to hand it to.
warned=
launch=
trap 'warned=yes; [ -z "$launch" ] || kill -USR1 "$launch"' USR1

# The modules that evenkeel was built with, such as:
# module load openmpi

run=evenkeel-runs/slurm-$SLURM_JOB_ID
# How many tasks are done.
progress() {
    grep -sc '"state":"done"' "$run/records.jsonl"
}
before=$(progress)
if compgen -G "$run/journal.*" > /dev/null; then
    what=(--resume "$run")
else
    what=("$@" --run-dir "$run")
fi
if [ -n "$warned" ]; then
    echo "the time is up before anything began: --time has to be longer than --signal says" >&2
    exit 4
fi
evenkeel launch -n "$SLURM_JOB_NUM_NODES" run "${what[@]}" &
launch=$!
[ -z "$warned" ] || kill -USR1 "$launch"
wait $launch
code=$?
if [ -n "$warned" ]; then
    # What runs may finish for so long; a second signal ends it.
    timeout 100 tail --pid=$launch -f /dev/null || kill -USR1 $launch
    wait $launch
    code=$?
fi
# 4: interrupted and resumable. A run that begins nothing more, since nothing would end in time, ends
# before the warning; the next allocation is of use only if something came of this one.
late=$(grep -s 'the time is up' "$run/verdict.json")
if [ $code = 4 ] && { [ -n "$warned" ] || { [ -n "$late" ] && [ "$(progress)" != "$before" ]; }; }; then
    scontrol requeue "$SLURM_JOB_ID"
fi
exit $code
