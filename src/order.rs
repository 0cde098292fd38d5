//! The order of things by a key of each. Own code, since the standard library's sort took 4 kB of the component.

/// The numbers below `count`, in the order that `is_before` says; those of which it says nothing stay in theirs. Runs that are in order are
/// merged two by two, from runs of one on.
pub fn order(count: usize, is_before: &dyn Fn(usize, usize) -> bool) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    let mut length = 1_usize;
    while length < count {
        let mut merged = Vec::with_capacity(count);
        for runs in order.chunks(length.saturating_mul(2)) {
            let (mut first, mut second) = runs.split_at_checked(length).unwrap_or((runs, &[]));
            while let (Some((left, after_left)), Some((right, after_right))) =
                (first.split_first(), second.split_first())
            {
                if is_before(*right, *left) {
                    merged.push(*right);
                    second = after_right;
                } else {
                    merged.push(*left);
                    first = after_left;
                }
            }
            merged.extend_from_slice(first);
            merged.extend_from_slice(second);
        }
        order = merged;
        length = length.saturating_mul(2);
    }
    order
}

/// Puts things into an order of their numbers where they are: a list may fill half of the memory.
pub fn put_in_order<T>(things: &mut [T], order: &[usize]) {
    for (place, number) in order.iter().enumerate() {
        // What was at an earlier place has been swapped to where the order of that place says, and so on.
        let mut from = *number;
        while let Some(next) = order.get(from).filter(|_| from < place) {
            from = *next;
        }
        things.swap(place, from);
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::{order, put_in_order};

    proptest! {
        #[test]
        fn it_is_the_stable_order_of_the_standard_library(keys in vec(0_u8..9, 0..30)) {
            let mut expected: Vec<(usize, u8)> = keys.iter().copied().enumerate().collect();
            let mut things = expected.clone();
            expected.sort_by_key(|(_, key)| *key);
            let order = order(keys.len(), &|first, second| keys[first] < keys[second]);
            prop_assert_eq!(&order, &expected.iter().map(|(number, _)| *number).collect::<Vec<_>>());
            put_in_order(&mut things, &order);
            prop_assert_eq!(things, expected);
        }
    }
}
