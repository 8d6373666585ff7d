//! Sets of flags in 16 bits, laid out as TigerBeetle lays them out.

/// Defines a set of 16-bit flags: one row per flag.
macro_rules! flag_set {
    ($(#[$doc:meta])* $name:ident { $($(#[$flag_doc:meta])* $flag:ident = $bit:expr,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Default, Hash)]
        pub struct $name(u16);

        impl $name {
            /// No flag.
            pub const NONE: Self = Self(0);
            $($(#[$flag_doc])* pub const $flag: Self = Self($bit);)*
            /// Every flag that has a meaning.
            pub const ALL: Self = Self(0 $(| $bit)*);

            /// The set as the formats write it. Bits without a meaning are kept: the engine
            /// refuses them with a status.
            pub const fn from_bits(bits: u16) -> Self {
                Self(bits)
            }

            /// The set as the formats write it.
            pub const fn bits(self) -> u16 {
                self.0
            }

            /// Whether every flag of `other` is set.
            pub const fn contains(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }

            /// Whether any flag of `other` is set.
            pub const fn intersects(self, other: Self) -> bool {
                self.0 & other.0 != 0
            }

            /// Both sets together.
            pub const fn union(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }

            /// This set without the flags of `other`.
            pub const fn without(self, other: Self) -> Self {
                Self(self.0 & !other.0)
            }

            /// Whether a bit is set that has no meaning.
            pub const fn has_reserved(self) -> bool {
                self.0 & !Self::ALL.0 != 0
            }
        }

        impl core::ops::BitOr for $name {
            type Output = Self;

            fn bitor(self, other: Self) -> Self {
                self.union(other)
            }
        }

        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                let mut rest = *self;
                let mut separator = "";
                $(if self.contains(Self::$flag) {
                    rest = rest.without(Self::$flag);
                    write!(f, "{separator}{}", stringify!($flag))?;
                    separator = "|";
                })*
                if rest != Self::NONE || separator.is_empty() {
                    write!(f, "{separator}{:#x}", rest.0)?;
                }
                Ok(())
            }
        }
    };
}

pub(crate) use flag_set;
