use super::*;

#[test]
fn sizes_are_read_as_they_are_written_and_nonsense_is_refused() {
    for text in ["200", "0", "100-400", "zipfian:1-1000"] {
        let sizes: Sizes = text.parse().expect("it is a size");
        assert_eq!(sizes.to_string(), text);
    }
    for text in ["", "-", "x", "400-100", "1-2-3", "zipf:1-2", "-5", "1.5"] {
        let error = text.parse::<Sizes>().expect_err(text).to_string();
        assert!(error.contains("is no size"), "{error}");
    }
}

#[test]
fn values_have_the_sizes_that_were_asked_for() {
    let sizes_of = |sizes: &str| {
        let values = Values::new(5, sizes.parse().expect("sizes"), 2.0).expect("values");
        (0..10_000).map(|number| values.value(number).len()).collect::<Vec<_>>()
    };
    assert!(sizes_of("200").iter().all(|size| *size == 200));
    let uniform = sizes_of("100-400");
    assert_eq!((uniform.iter().min(), uniform.iter().max()), (Some(&100), Some(&400)));
    let mean = uniform.iter().sum::<usize>() / uniform.len();
    assert!((240..=260).contains(&mean), "{mean}");
    let mut zipfian = sizes_of("zipfian:10-1000");
    zipfian.sort_unstable();
    assert!(zipfian[0] == 10 && zipfian[5_000] < 100 && zipfian[9_999] > 500, "few are large");
    assert!(sizes_of("0").iter().all(|size| *size == 0));
}

/// Many small values together shrink as much as was asked for, as they lie in a block.
#[test]
fn values_shrink_as_often_as_was_asked_for() {
    for wanted in [1.0, 1.5, 2.1, 4.0] {
        let values = Values::new(9, Sizes::Fixed(200), wanted).expect("values");
        let block: Vec<u8> = (0..2_000).flat_map(|number| values.value(number)).collect();
        let shrunk = zstd::bulk::compress(&block, 1).expect("zstd compresses");
        let times = block.len() as f64 / shrunk.len() as f64;
        assert!((times / wanted - 1.0).abs() < 0.15, "{times} instead of {wanted}");
    }
    assert!(Values::new(9, Sizes::Fixed(200), 0.9).is_err());
    assert!(Values::new(9, Sizes::Fixed(200), f64::NAN).is_err());
}

#[test]
fn a_value_is_determined_by_seed_and_number() {
    let values = |seed| Values::new(seed, Sizes::Uniform(10, 90), 2.0).expect("values");
    assert_eq!(values(1).value(7), values(1).value(7));
    assert_ne!(values(1).value(7), values(1).value(8));
    assert_ne!(values(1).value(7), values(2).value(7));
}
