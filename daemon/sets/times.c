/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * When a set and its volumes were held, for the timeline that people look at. Nothing is decided by it; it
 * is known as long as the quiesced lives that made the set.
 */

#include "daemon/sets/sets-internal.h"

/**
 * snapshot_set_get_times() - when writes to a set were held
 * @set:        the set
 * @ret:        filled in
 *
 * Return: false if they were not, or that is not known.
 */
bool snapshot_set_get_times(const SnapshotSet *set, SetTimes *ret) {
        SetInfo info;

        if (!snapshot_set_get_info(set, &info) || info.hold_usec == 0)
                return false;
        *ret = (SetTimes){
                .hold_end_usec = set->any_frozen ? set->ended_usec : set->resumed_usec,
                .hold_limit_usec = snapshot_set_hold_limit(set),
        };
        ret->hold_begin_usec = ret->hold_end_usec - info.hold_usec;
        return true;
}

/**
 * snapshot_set_get_snapshot_times() - when one of its volumes was held
 * @set:        the set
 * @index:      of the snapshot
 * @ret:        filled in
 *
 * Return: false if it was not suspended, or that is not known.
 */
bool snapshot_set_get_snapshot_times(const SnapshotSet *set, size_t index, SnapshotTimes *ret) {
        if (index >= set->n_volumes || set->volumes[index]->times.resumed_usec == 0)
                return false;
        *ret = set->volumes[index]->times;
        return true;
}
